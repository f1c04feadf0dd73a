/**
 * A run told for people, one line an event: what clients asked and got, what servers sent each other, what they logged,
 * what broke. It only listens: a run with a story is the same run.
 */
import type { ErrorDetail } from '@cairnfs/protocol';
import { MasterControlMethods } from '@cairnfs/protocol';
import type { TraceEntry } from '@cairnfs/sim';
import type { WireCall, WireFrame, WireListener } from '../wire/wire-tap.ts';
import { describeFields, shortened } from './describe-message.ts';

const LINES_MAX = 200_000;
const HOST_WIDTH = 14;
/** A frame that takes longer is told a second time, when it arrives. */
const LATE_MS = 20;
/** What broke is told whatever is looked for. */
const ALWAYS_TOLD: ReadonlySet<string> = new Set([
  'start',
  'start failed',
  'crash',
  'stall',
  'clock',
  'fatal',
  'bit rot',
  'journal rot',
]);

export interface StoryOptions {
  /** Only lines that have this text, in any case, with the answers to calls that do, and what broke. */
  readonly of?: string | undefined;
  /** The latest ones are kept. */
  readonly linesMax?: number;
}

export class Story implements WireListener {
  readonly #of: string;
  readonly #isWanted: (line: string) => boolean;
  /** Some line had what is looked for. */
  #hasFound = false;
  readonly #linesMax: number;
  #lines: string[] = [];
  #droppedCount = 0;
  readonly #toldCalls = new Set<WireCall>();
  /** Heartbeats with nothing but a sign of life; their answers are not told either. */
  readonly #dull = new Set<WireCall>();

  constructor({ of = '', linesMax = LINES_MAX }: StoryOptions = {}) {
    this.#of = of;
    this.#isWanted = wanted(of);
    this.#linesMax = linesMax;
  }

  get lines(): string[] {
    const kept = this.#lines.slice(-this.#linesMax);
    const dropped = this.#droppedCount + this.#lines.length - kept.length;
    const lines = dropped === 0 ? kept : [`(${dropped} earlier lines are left out: look for less)`, ...kept];
    if (this.#of === '' || this.#hasFound) return lines;
    return [...lines, `(nothing has '${this.#of}', in capitals or not: only starts, ends and faults are told)`];
  }

  logged({ atMs, host, event, fields }: TraceEntry): void {
    const isFault = host === 'fault';
    const line = `${isFault ? '!! ' : ''}${event}  ${describeFields(fields)}`.trimEnd();
    this.#tell(atMs, host, line, isFault || ALWAYS_TOLD.has(event));
  }

  sent(frame: WireFrame): void {
    const { call, role } = frame;
    if (role === 'request' && isDull(frame)) this.#dull.add(call);
    if (this.#dull.has(call)) return;
    const text = `→ ${frame.to.padEnd(HOST_WIDTH)} ${what(frame)}`;
    const isTold = this.#tell(frame.sentMs, frame.from, text, this.#toldCalls.has(call));
    if (isTold) this.#toldCalls.add(call);
  }

  arrived(frame: WireFrame, atMs: number): void {
    const lateMs = atMs - frame.sentMs;
    if (lateMs < LATE_MS || this.#dull.has(frame.call)) return;
    const { number, method } = frame.call;
    const text = `← ${frame.from.padEnd(HOST_WIDTH)} #${number} ${method.name} ${frame.role} arrives after ${lateMs.toFixed(1)} ms`;
    this.#tell(atMs, frame.to, text, this.#toldCalls.has(frame.call));
  }

  /** @returns whether it is told. */
  #tell(atMs: number, host: string, text: string, isAlwaysTold: boolean): boolean {
    const line = `${(atMs / 1000).toFixed(4).padStart(10)}  ${host.padEnd(HOST_WIDTH)} ${text}`;
    const isWanted = this.#isWanted(line);
    if (isWanted) this.#hasFound = true;
    if (!isAlwaysTold && !isWanted) return false;
    this.#lines.push(line);
    // Cut in halves, so that dropping the oldest does not cost a move of all for every line.
    if (this.#lines.length > 2 * this.#linesMax) {
      this.#droppedCount += this.#linesMax;
      this.#lines = this.#lines.slice(this.#linesMax);
    }
    return true;
  }
}

/** `#13` is the whole number: what has `#139` is another call. */
function wanted(of: string): (line: string) => boolean {
  const text = shortened(of).toLowerCase();
  const endsInNumber = /#\d+$/.test(text);
  return (line) => {
    const told = line.toLowerCase();
    for (let at = told.indexOf(text); at >= 0; at = told.indexOf(text, at + 1)) {
      if (!endsInNumber || !/\d/.test(told.charAt(at + text.length))) return true;
    }
    return false;
  };
}

function what(frame: WireFrame): string {
  const { call, role, dataBytes, sentMs } = frame;
  const data = dataBytes > 0 ? ` +${dataBytes} bytes` : '';
  if (role === 'request') return `#${call.number} ${call.method.name} ${fieldsOf(frame)}${data}`.trimEnd();
  const took = `${(sentMs - call.request.sentMs).toFixed(1)} ms`;
  const start = `#${call.number} ${call.method.name}`;
  if (role === 'cancel') return `${start} cancelled after ${took}`;
  if (role === 'error') {
    const { kind, message } = frame.message as ErrorDetail;
    return `${start} REFUSED ${kind} after ${took}: ${shortened(message)}`;
  }
  const outcome = role === 'response' ? 'ok' : role;
  return `${start} ${outcome} in ${took} ${fieldsOf(frame)}${data}`.trimEnd();
}

function fieldsOf({ message }: WireFrame): string {
  return message === undefined ? '' : describeFields(message as Record<string, unknown>);
}

const SIGN_OF_LIFE: ReadonlySet<string> = new Set(['serverId', 'renewLeases', 'renewGrants']);

function isDull(frame: WireFrame): boolean {
  if (frame.call.method.id !== MasterControlMethods.heartbeat.id) return false;
  const told = Object.entries(frame.message as Record<string, unknown>).filter(([name]) => !SIGN_OF_LIFE.has(name));
  return describeFields(Object.fromEntries(told)) === '';
}
