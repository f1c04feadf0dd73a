/** The history of one subtree of names against its promises: one order of its calls explains every answer. */
import type { NamespaceOperation } from '../../history/namespace-calls.ts';
import { Contents } from '../file/contents.ts';
import { check } from '../linearizability/checker.ts';
import { shrinkHistory } from '../shrink-history.ts';
import type { Violation } from '../violation.ts';
import { isObservation, JUDGED_CODES, NamespaceModel } from './namespace-model.ts';

export interface NamespaceVerdict {
  readonly violation: Violation | undefined;
  /** Telling would take too long: neither legal nor illegal. */
  readonly isUndecided: boolean;
}

export function checkNamespace(subtree: string, operations: readonly NamespaceOperation[]): NamespaceVerdict {
  const lengths = new Map<number, number>();
  for (const { call } of operations) if (call.kind === 'put') lengths.set(call.writeId, call.length);
  const contents = new Contents(lengths);
  const judge = (some: readonly NamespaceOperation[]) => check(new NamespaceModel(contents), intervalsOf(some)).kind;
  const kind = judge(operations);
  if (kind !== 'violation') return { violation: undefined, isUndecided: kind === 'undecided' };
  const saysNothingNew = ({ call, outcome }: NamespaceOperation) => outcome.kind === 'failed' || isObservation(call);
  const smallest = shrinkHistory(operations, saysNothingNew, (some) => judge(some) === 'violation');
  const violation = {
    check: 'namespace',
    summary: `${subtree}: no order of the calls explains the answers`,
    details: [...smallest]
      .sort((a, b) => a.begin - b.begin)
      .map(lineOf)
      .join('\n'),
  };
  return { violation, isUndecided: false };
}

function intervalsOf(operations: readonly NamespaceOperation[]) {
  return operations
    .filter(({ outcome }) => outcome.kind !== 'failed' || JUDGED_CODES.has(outcome.code))
    .map((operation) => {
      const { begin, end, outcome } = operation;
      return { operation, begin, end, isOptional: outcome.kind === 'unknown' };
    });
}

function lineOf({ id, client, call, begin, end, outcome }: NamespaceOperation): string {
  const { kind, ...parameters } = call;
  const asked = Object.entries(parameters).map(([name, value]) => `${name} ${value === '' ? "''" : value}`);
  const head = `[${begin}, ${Number.isFinite(end) ? end : '…'}] ${client} #${id} ${kind} ${asked.join(', ')}`;
  if (outcome.kind === 'unknown') return `${head}: unknown`;
  if (outcome.kind === 'failed') return `${head}: ${outcome.code}`;
  const { names, type, size, bytes } = outcome.result;
  const answer = [names?.join(' '), type, size, bytes && `${bytes.length} bytes`].filter((part) => part !== undefined);
  return `${head}: ok ${answer.join(', ')}`.trimEnd();
}
