/** Objects small enough to see by eye whether a history of them is legal. */
import type { Model } from './model.ts';

/** `value`: what went in or came out; -1 from an empty queue. */
export type Call = {
  readonly kind: 'put' | 'get' | 'append' | 'length' | 'take';
  readonly value: number;
  readonly offset?: number;
};

export const register: Model<number, Call> = {
  initial: 0,
  step: (state, { kind, value }) => {
    if (kind === 'put') return [value];
    return state === value ? [state] : undefined;
  },
  key: (state) => state,
  isObserver: ({ kind }) => kind === 'get',
};

/** A list that grows; `offset`, where told, is where the value went. */
export const appends: Model<readonly number[], Call> = {
  initial: [],
  step: (state, { kind, value, offset }) => {
    if (kind === 'length') return state.length === value ? [state] : undefined;
    return offset === undefined || offset === state.length ? [[...state, value]] : undefined;
  },
  key: (state) => state.join(),
  isObserver: ({ kind }) => kind === 'length',
};

export const queue: Model<readonly number[], Call> = {
  initial: [],
  step: (state, { kind, value }) => {
    if (kind === 'put') return [[...state, value]];
    return (state[0] ?? -1) === value ? [state.slice(1)] : undefined;
  },
  key: (state) => state.join(),
};
