/**
 * The chunkservers the master knows: who they are (logged), and how they are (in memory, from heartbeats).
 *
 * A server is live while it has a server lease that may hold: the master counts it from when it answered a heartbeat, and adds a
 * margin for clocks that drift. A restarted master does not know what its predecessor answered, so it takes nobody's
 * silence for absence before one lease has passed since its own start.
 */

import { FsError } from '@cairnfs/base';
import type { DiskStatus, Usage } from '@cairnfs/protocol';
import { decodeMessage } from '@cairnfs/protocol';
import type { MasterContext } from '../context.ts';
import { Server } from '../gen/cairn/master/v1/state.ts';
import { FULL_SERVER_PAUSE_MS, HALT_MS, KEPT_OUT_PATIENCE, SERVERS_MAX } from '../limits.ts';
import { idOfServerKey, serverRange } from '../state/keys.ts';

export interface ServerIdentity {
  readonly id: number;
  readonly uuid: string;
  address: string;
  host: string;
  rack: string;
}

export interface ServerEntry extends ServerIdentity {
  /** 0: not registered with this run of the master. */
  session: number;
  /** Monotonic; when a registration or heartbeat was last answered. */
  answeredAtMs: number;
  usage: Usage | undefined;
  disks: DiskStatus[];
  /** All that it holds has been compared with what it should hold. */
  inventoryComplete: boolean;
  /** So it has once since it registered: from then on it tells by itself of what changes. */
  hasShownAll: boolean;
  /** It registered without a disk it had before, and its inventory is not whole: what that has not shown may be gone. */
  hasLostDisk: boolean;
  /** It has looked for a replica since it registered, and said that it may be where it does not find it. */
  mayHideReplicas: boolean;
  /** It gets the lease; false while it may hold replicas that serve old versions (readmission.ts). */
  mayServe: boolean;
  /** Monotonic; since when it may not, however often it registered meanwhile. */
  keptOutSinceMs: number | undefined;
  /** Monotonic; since when it has not answered what it holds of replicas that it did not show (unshown-replicas.ts). */
  unansweredSinceMs: number | undefined;
  /** Handles of the inventory under way were seen up to here; undefined when none is. */
  inventoryCursor: string | undefined;
  /** Monotonic; when its first part came. */
  inventoryBegunAtMs: number;
  /** Monotonic; when its last part came. */
  inventoryPartAtMs: number;
  /** Calendar; when it was last heard of, as the log has it. 0 unless it counted as dead. */
  deadSinceMs: number;
  /** Who has registered at its address since: whoever calls there reaches that one. 0: nobody. */
  replacedBy: number;
  /** Monotonic; until then its word that it has no room counts for more than what it last said of its disks. */
  fullUntilMs: number;
  /** By disk, monotonic; until then its word that a disk takes no replica counts for more than what it last said of it. */
  readonly pausedDisks: Map<string, number>;
}

/** How a server registered. */
export interface Registered {
  readonly mayServe: boolean;
  readonly hasLostDisk: boolean;
}

export class ServerTable {
  readonly #context: MasterContext;
  readonly #byId = new Map<number, ServerEntry>();
  /** Servers whose heartbeats are not answered, and how many wait for that. */
  readonly #withheld = new Map<number, number>();
  #sessionCount = 0;
  /** When the time was last looked at, and since when that was never long apart. */
  #notedAtMs: number;
  #awakeSinceMs: number;

  constructor(context: MasterContext) {
    this.#context = context;
    this.#notedAtMs = context.startedAtMs;
    this.#awakeSinceMs = context.startedAtMs;
    for (const { key, value } of context.decisions.read().range(serverRange, SERVERS_MAX)) {
      const { uuid, address, host, rack, deadSinceMs } = decodeMessage(Server, value);
      this.#insert({ id: idOfServerKey(key), uuid, address, host, rack }).deadSinceMs = deadSinceMs;
    }
  }

  get all(): Iterable<ServerEntry> {
    return this.#byId.values();
  }

  get count(): number {
    return this.#byId.size;
  }

  get(id: number): ServerEntry | undefined {
    return this.#byId.get(id);
  }

  byUuid(uuid: string): ServerEntry | undefined {
    for (const server of this.#byId.values()) if (server.uuid === uuid) return server;
    return undefined;
  }

  /** A registration was logged: the server is in touch from now on, and must show its inventory. */
  registered(identity: ServerIdentity, { mayServe, hasLostDisk }: Registered): ServerEntry {
    const server = this.#byId.get(identity.id) ?? this.#insert(identity);
    this.#sessionCount += 1;
    Object.assign(server, {
      address: identity.address,
      host: identity.host,
      rack: identity.rack,
      // Higher than any session of an earlier run, and of this server before.
      session: this.#context.incarnation * SESSIONS_PER_INCARNATION + this.#sessionCount,
      answeredAtMs: this.#context.seams.clock.nowMs(),
      inventoryComplete: false,
      hasShownAll: false,
      inventoryCursor: undefined,
      // Until it has shown what is left, whichever registration said so.
      hasLostDisk: hasLostDisk || server.hasLostDisk,
      mayHideReplicas: false,
      mayServe,
      keptOutSinceMs: mayServe ? undefined : (server.keptOutSinceMs ?? this.#context.seams.clock.nowMs()),
      deadSinceMs: 0,
      replacedBy: 0,
    });
    server.pausedDisks.clear();
    for (const other of this.#byId.values()) if (other.address === server.address) this.#replace(other, server);
    return server;
  }

  #replace(server: ServerEntry, by: ServerEntry): void {
    if (server === by) return;
    if (this.isInTouch(server.id)) {
      const ids = { id: by.id, replaced: server.id, address: by.address };
      this.#context.seams.log.warn('a chunkserver registered at the address of another that is in touch', ids);
    }
    server.replacedBy = by.id;
  }

  /**
   * It was replaced, and who did that is not at its address any more: calls may reach it again, so it registers once more.
   * While both say that they are there, it stays with the one that said so last: they would take turns.
   */
  isReplacementOver({ replacedBy, address }: ServerEntry): boolean {
    return replacedBy > 0 && (this.hasRunOut(replacedBy) || this.#byId.get(replacedBy)?.address !== address);
  }

  /** It has shown all it holds, and serves nothing old. */
  admitted(server: ServerEntry): void {
    server.mayServe = true;
    server.keptOutSinceMs = undefined;
  }

  /** That it was ever there is logged no more. */
  forget(id: number): void {
    this.#byId.delete(id);
  }

  /** It can be called, and answers as far as is known. */
  isLive(id: number): boolean {
    return this.isInTouch(id) && this.#byId.get(id)!.mayServe;
  }

  /** It says what it holds when it is asked, also without a lease. */
  isInTouch(id: number): boolean {
    const server = this.#byId.get(id);
    if (server === undefined || server.session === 0 || server.replacedBy > 0) return false;
    return this.silentMs(server) <= this.#leaseMs;
  }

  /** What it holds of the chunk is as its last inventory and its reports say; false where a lost disk may have had it. */
  isShown(id: number, handle: string): boolean {
    const server = this.#byId.get(id);
    return server === undefined || !server.hasLostDisk || hasComeTo(server, handle);
  }

  /** It has told what it holds of the chunk since it registered: rot and losses of before are known to it alone. */
  hasToldOf(id: number, handle: string): boolean {
    const server = this.#byId.get(id);
    return server !== undefined && (server.hasShownAll || hasComeTo(server, handle));
  }

  /** It does not come back as it was, as far as anyone knows: its copies are replaced. */
  isGone(id: number): boolean {
    return (this.#byId.get(id)?.replacedBy ?? 0) > 0 || this.isDead(id);
  }

  /**
   * It is in touch and may not serve, for so long that it is not waited for: it does not do what its lease takes, as a server
   * does that the master cannot call, or whose disk hangs. It is still called, and heard, and may come back at any time.
   */
  isKeptOut(id: number): boolean {
    return this.#isWaitOver(this.#byId.get(id)?.keptOutSinceMs);
  }

  /** It is in touch, and has been asked in vain for so long that what it did not show is not waited for. */
  isUnanswering(id: number): boolean {
    return this.#isWaitOver(this.#byId.get(id)?.unansweredSinceMs);
  }

  #isWaitOver(sinceMs: number | undefined): boolean {
    if (sinceMs === undefined) return false;
    this.noteTime();
    const now = this.#context.seams.clock.nowMs();
    return now - Math.max(sinceMs, this.#awakeSinceMs) > KEPT_OUT_PATIENCE * this.#context.config.deadAfterMs;
  }

  /** Its copies are replaced. */
  isGivenUp(id: number): boolean {
    return this.isGone(id) || this.isKeptOut(id);
  }

  /** The server can serve nobody any more: its lease ran out, by the master's own clock. */
  hasRunOut(id: number): boolean {
    const server = this.#byId.get(id);
    const now = this.#context.seams.clock.nowMs();
    if (now - this.#context.startedAtMs <= this.#leaseMs) return false;
    return server === undefined || now - server.answeredAtMs > this.#leaseMs;
  }

  /** From now until `release` nothing is answered that would extend the server's lease. Calls count. */
  withhold(id: number): void {
    this.#withheld.set(id, (this.#withheld.get(id) ?? 0) + 1);
  }

  release(id: number): void {
    const count = (this.#withheld.get(id) ?? 0) - 1;
    if (count > 0) this.#withheld.set(id, count);
    else this.#withheld.delete(id);
  }

  /** @throws FsError UNAVAILABLE  while the server's lease must not be extended. */
  checkMayExtend(id: number): void {
    if (!this.#withheld.has(id)) return;
    const message = `server ${id} is being removed from a view and does not answer the master's calls`;
    throw new FsError('UNAVAILABLE', `${message}: check the network from the master to it`, { details: { id } });
  }

  /** It refused to store something for want of room: sooner than its heartbeats tell. */
  noteFull(id: number): void {
    const server = this.#byId.get(id);
    if (server !== undefined) server.fullUntilMs = this.#context.seams.clock.nowMs() + FULL_SERVER_PAUSE_MS;
  }

  /** Nothing new is placed there, whatever its disks looked like. */
  isFull({ fullUntilMs }: ServerEntry): boolean {
    return this.#context.seams.clock.nowMs() < fullUntilMs;
  }

  /** A disk of it did not take a replica: sooner than its heartbeats tell. */
  pauseDisk(id: number, diskId: string): void {
    const server = this.#byId.get(id);
    if (server?.disks.some((disk) => disk.diskId === diskId) !== true) return;
    server.pausedDisks.set(diskId, this.#context.seams.clock.nowMs() + FULL_SERVER_PAUSE_MS);
  }

  isPaused({ pausedDisks }: ServerEntry, diskId: string): boolean {
    return this.#context.seams.clock.nowMs() < (pausedDisks.get(diskId) ?? Number.NEGATIVE_INFINITY);
  }

  /** How long it takes until `hasRunOut`, if nothing is heard of it. */
  untilRunOutMs(id: number): number {
    const now = this.#context.seams.clock.nowMs();
    const from = Math.max(this.#byId.get(id)?.answeredAtMs ?? 0, this.#context.startedAtMs);
    return Math.max(0, from + this.#leaseMs - now) + 1;
  }

  /**
   * Silent for so long that it is not waited for. What this process missed while it stood still is nobody's silence.
   *
   * @param patience how many times as long as usual that is.
   */
  isDead(id: number, patience = 1): boolean {
    this.noteTime();
    const server = this.#byId.get(id);
    if (!this.hasRunOut(id)) return false;
    if (server === undefined) return true;
    const now = this.#context.seams.clock.nowMs();
    return now - Math.max(server.answeredAtMs, this.#awakeSinceMs) > patience * this.#context.config.deadAfterMs;
  }

  /** To be called every few seconds: a longer pause means that this process stood still. */
  noteTime(): void {
    const now = this.#context.seams.clock.nowMs();
    if (now - this.#notedAtMs > HALT_MS) this.#awakeSinceMs = now;
    this.#notedAtMs = now;
  }

  /** Since it was last answered, or since the master started. */
  silentMs(server: ServerEntry): number {
    return this.#context.seams.clock.nowMs() - Math.max(server.answeredAtMs, this.#context.startedAtMs);
  }

  get #leaseMs(): number {
    return this.#context.config.serverLeaseMs + this.#context.config.leaseMarginMs;
  }

  #insert(identity: ServerIdentity): ServerEntry {
    const server: ServerEntry = {
      ...identity,
      session: 0,
      answeredAtMs: Number.NEGATIVE_INFINITY,
      usage: undefined,
      disks: [],
      inventoryComplete: false,
      hasShownAll: false,
      inventoryCursor: undefined,
      inventoryBegunAtMs: Number.NEGATIVE_INFINITY,
      inventoryPartAtMs: Number.NEGATIVE_INFINITY,
      hasLostDisk: false,
      mayHideReplicas: false,
      mayServe: false,
      keptOutSinceMs: undefined,
      unansweredSinceMs: undefined,
      deadSinceMs: 0,
      replacedBy: 0,
      fullUntilMs: Number.NEGATIVE_INFINITY,
      pausedDisks: new Map(),
    };
    this.#byId.set(identity.id, server);
    return server;
  }
}

/** The inventory under way has got to the handle. */
function hasComeTo({ inventoryCursor }: ServerEntry, handle: string): boolean {
  return inventoryCursor !== undefined && handle <= inventoryCursor;
}

/** What a disk that is out of service holds is neither told nor found, and may be back with the server's next start. */
export function hasLostDisk(disks: readonly DiskStatus[]): boolean {
  return disks.some(({ failure }) => failure !== '');
}

/** The disks that can show what they hold, in order. */
export function disksInService(disks: readonly DiskStatus[]): string[] {
  const inService = disks.filter(({ failure }) => failure === '');
  return inService.map(({ diskId }) => diskId).sort();
}

/** More registrations than one run of a master can see. */
const SESSIONS_PER_INCARNATION = 2 ** 24;
