/**
 * Of the connections that one client makes to a server one after the other, the latest alone counts. The client has given up
 * those before and sends again, over the latest, what it has no answer to; what is still under way over one of them, as after a
 * cut of the network, would otherwise come when its sender has gone on: a change that was refused at last would be applied.
 */
import { bytesToKey } from '@cairnfs/base';

/** As a client's hello tells it; `name` is empty when it does not. */
export interface PlaceInSeries {
  readonly name: Uint8Array;
  readonly number: number;
}

interface Closable {
  close(reason: string): void;
}

export class ConnectionSeries<C extends Closable> {
  /** By the name of the series; as many as there are connections at most. */
  readonly #latest = new Map<string, { readonly number: number; readonly connection: C }>();

  /** A hello came: earlier connections of its series are closed. @returns false when a later one has come before. */
  begun({ name, number }: PlaceInSeries, connection: C): boolean {
    if (name.length === 0) return true;
    const key = bytesToKey(name);
    const other = this.#latest.get(key);
    if (other !== undefined && other.number >= number) return false;
    this.#latest.set(key, { number, connection });
    other?.connection.close('its client goes on over another connection');
    return true;
  }

  ended({ name }: PlaceInSeries, connection: C): void {
    const key = bytesToKey(name);
    if (this.#latest.get(key)?.connection === connection) this.#latest.delete(key);
  }
}
