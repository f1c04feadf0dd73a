/** Where the processes of a test's cluster run. */

export interface Placement {
  /** The address at which this server is reached. */
  hostOf(server: string): string;
  /** How to start a program there. `place`: a server's name, a client's, or `admin`. */
  place(place: string, argv: readonly [command: string, ...args: string[]]): { command: string; args: string[] };
}

export const ON_LOOPBACK: Placement = {
  hostOf: () => '127.0.0.1',
  place: (_place, [command, ...args]) => ({ command, args }),
};
