/**
 * Listens to everything the processes of a run send each other, as calls and their answers. It is outside of the run:
 * with it and without it a seed gives the same trace.
 */
import {
  ChunkserverControlMethods,
  ChunkserverDataMethods,
  ChunkserverPeerMethods,
  decodeMessage,
  ErrorDetail,
  FrameKind,
  MasterControlMethods,
  MasterMethods,
  type Method,
} from '@cairnfs/protocol';
import { Copies, type NetworkTap, type TappedEnd } from '@cairnfs/sim';
import { type CutFrame, FrameCutter } from './frame-cutter.ts';

export type FrameRole = 'request' | 'response' | 'item' | 'end' | 'error' | 'cancel';

/** One frame of a call. */
export interface WireFrame {
  readonly role: FrameRole;
  readonly call: WireCall;
  readonly from: string;
  readonly to: string;
  /** The number of the connection that carries it. */
  readonly connection: number;
  /** Virtual time at which it was handed to the kernel. */
  readonly sentMs: number;
  readonly dataBytes: number;
  /** The protobuf message, decoded when first asked for: an `ErrorDetail` in an error, undefined where there is none. */
  readonly message: unknown;
}

export interface WireCall {
  /** Of all calls of the run, from 1. */
  readonly number: number;
  readonly method: Method<unknown, unknown>;
  readonly from: string;
  readonly to: string;
  readonly request: WireFrame;
}

export interface WireListener {
  sent(frame: WireFrame): void;
  /** The whole frame was given to the process it was for. Some never are. */
  arrived?(frame: WireFrame, atMs: number): void;
}

interface Way {
  readonly from: string;
  readonly to: string;
  readonly connection: number;
}

const METHODS: ReadonlyMap<number, Method<unknown, unknown>> = new Map(
  [MasterMethods, MasterControlMethods, ChunkserverDataMethods, ChunkserverPeerMethods, ChunkserverControlMethods]
    .flatMap((service): Method<unknown, unknown>[] => Object.values(service))
    .map((method) => [method.id, method]),
);

const ROLES: ReadonlyMap<number, FrameRole> = new Map([
  [FrameKind.request, 'request'],
  [FrameKind.response, 'response'],
  [FrameKind.item, 'item'],
  [FrameKind.end, 'end'],
  [FrameKind.error, 'error'],
  [FrameKind.cancel, 'cancel'],
]);

/** What one end of a connection has written. */
class Outgoing {
  readonly cutter: FrameCutter;
  /** Sent, and not yet arrived as a whole. */
  readonly underWay: { frame: WireFrame; end: number }[] = [];
  takenBytes = 0;

  constructor(copies: Copies) {
    this.cutter = new FrameCutter(copies);
  }
}

interface Link {
  /** By the host that writes; a host may be connected to itself, but no server of a run calls itself. */
  readonly outgoing: Map<string, Outgoing>;
  /** Open calls, by request number. */
  readonly calls: Map<number, WireCall>;
}

export class WireTap implements NetworkTap {
  readonly #nowMs: () => number;
  #listeners: readonly WireListener[];
  readonly #links = new Map<number, Link>();
  readonly #followsArrivals: boolean;
  readonly #copies = new Copies();
  #callCount = 0;

  constructor(nowMs: () => number, listeners: readonly WireListener[]) {
    this.#nowMs = nowMs;
    this.#listeners = listeners;
    this.#followsArrivals = listeners.some((listener) => listener.arrived !== undefined);
  }

  /** From now on nobody else is told; calls keep their numbers, and the next ones go on from there. */
  tellOnly(listeners: readonly WireListener[]): void {
    this.#listeners = listeners;
  }

  wrote({ number, hostName, peerHostName }: TappedEnd, buffers: readonly Uint8Array[]): void {
    const link = this.#link(number);
    const outgoing = this.#outgoing(link, hostName);
    for (const bytes of buffers) {
      for (const cut of outgoing.cutter.push(bytes)) {
        const frame = this.#frame(link, cut, { from: hostName, to: peerHostName, connection: number });
        if (frame === undefined) continue;
        if (this.#followsArrivals) outgoing.underWay.push({ frame, end: cut.end });
        for (const listener of this.#listeners) listener.sent(frame);
      }
    }
  }

  took({ number, peerHostName }: TappedEnd, bytes: number): void {
    if (!this.#followsArrivals) return;
    const outgoing = this.#outgoing(this.#link(number), peerHostName);
    outgoing.takenBytes += bytes;
    while (outgoing.underWay.length > 0 && outgoing.underWay[0]!.end <= outgoing.takenBytes) {
      const { frame } = outgoing.underWay.shift()!;
      for (const listener of this.#listeners) listener.arrived?.(frame, this.#nowMs());
    }
  }

  #link(number: number): Link {
    let link = this.#links.get(number);
    if (link === undefined) {
      link = { outgoing: new Map(), calls: new Map() };
      this.#links.set(number, link);
    }
    return link;
  }

  #outgoing(link: Link, host: string): Outgoing {
    let outgoing = link.outgoing.get(host);
    if (outgoing === undefined) {
      outgoing = new Outgoing(this.#copies);
      link.outgoing.set(host, outgoing);
    }
    return outgoing;
  }

  /** Undefined for frames that are not part of a call. */
  #frame({ calls }: Link, cut: CutFrame, way: Way): WireFrame | undefined {
    const role = ROLES.get(cut.kind);
    if (role === undefined) return undefined;
    if (role === 'request') return this.#request(calls, cut, way);
    const call = calls.get(cut.requestId);
    if (call === undefined) return undefined;
    if (role === 'response' || role === 'end' || role === 'error') calls.delete(cut.requestId);
    return new Frame({ role, call, ...way, sentMs: this.#nowMs(), cut });
  }

  #request(calls: Map<number, WireCall>, cut: CutFrame, way: Way): WireFrame | undefined {
    const method = METHODS.get(cut.method);
    if (method === undefined) return undefined;
    const call = new Call({ number: ++this.#callCount, method, ...way, sentMs: this.#nowMs(), cut });
    calls.set(cut.requestId, call);
    return call.request;
  }
}

class Call implements WireCall {
  readonly number: number;
  readonly method: Method<unknown, unknown>;
  readonly from: string;
  readonly to: string;
  readonly request: WireFrame;

  constructor(parts: { number: number; method: Method<unknown, unknown>; sentMs: number; cut: CutFrame } & Way) {
    const { number, method, from, to, connection, sentMs, cut } = parts;
    this.number = number;
    this.method = method;
    this.from = from;
    this.to = to;
    this.request = new Frame({ role: 'request', call: this, from, to, connection, sentMs, cut });
  }
}

class Frame implements WireFrame {
  readonly role: FrameRole;
  readonly call: WireCall;
  readonly from: string;
  readonly to: string;
  readonly connection: number;
  readonly sentMs: number;
  readonly dataBytes: number;
  readonly #bytes: Uint8Array;
  #message: unknown;

  constructor(parts: { role: FrameRole; call: WireCall; sentMs: number; cut: CutFrame } & Way) {
    const { role, call, from, to, connection, sentMs, cut } = parts;
    this.role = role;
    this.call = call;
    this.from = from;
    this.to = to;
    this.connection = connection;
    this.sentMs = sentMs;
    this.dataBytes = cut.dataBytes;
    this.#bytes = cut.message;
  }

  get message(): unknown {
    this.#message ??= this.#decode();
    return this.#message;
  }

  #decode(): unknown {
    const { request, response } = this.call.method;
    switch (this.role) {
      case 'request':
        return decodeMessage(request, this.#bytes);
      case 'response':
      case 'item':
        return decodeMessage(response, this.#bytes);
      case 'error':
        return decodeMessage(ErrorDetail, this.#bytes);
      case 'end':
      case 'cancel':
        return undefined;
    }
  }
}

/** The request of the call that the frame belongs to, if it is a call of that method. */
export function requestOf<Q, S>({ call }: WireFrame, method: Method<Q, S>): Q | undefined {
  return call.method.id === method.id ? (call.request.message as Q) : undefined;
}

/** Whether the frame is the answer to a call of that method; costs no decoding. */
export function answers<Q, S>({ role, call }: WireFrame, method: Method<Q, S>): boolean {
  return role === 'response' && call.method.id === method.id;
}

/** The answer, if the frame is one to a call of that method. */
export function responseOf<Q, S>(frame: WireFrame, method: Method<Q, S>): S | undefined {
  return answers(frame, method) ? (frame.message as S) : undefined;
}
