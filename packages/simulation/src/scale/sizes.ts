/** How many servers and chunks `--profile scale` measures with: variables of the environment say. */

export interface ScaleSizes {
  readonly servers: number;
  readonly chunks: number;
}

/** One server is lost and then two, and three have to be left for all copies. */
export const SERVERS = { variable: 'SCALE_SERVERS', usual: 1000, least: 6 } as const;
export const CHUNKS = { variable: 'SCALE_CHUNKS', usual: 1_000_000, least: 1 } as const;

/** @throws Error  with a message for the one who set them. */
export function scaleSizes(environment: Readonly<Record<string, string | undefined>>): ScaleSizes {
  const sizeOf = ({ variable, usual, least }: typeof SERVERS | typeof CHUNKS): number => {
    const text = environment[variable] ?? String(usual);
    const size = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(size) || size < least) {
      throw new Error(`${variable}=${text}: a whole number from ${least} is wanted`);
    }
    return size;
  };
  return { servers: sizeOf(SERVERS), chunks: sizeOf(CHUNKS) };
}
