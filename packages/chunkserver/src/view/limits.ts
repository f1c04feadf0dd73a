/** Bounds of the chunkserver's part in views, each with the sketch behind it. */

/** Chunks without a replica here whose versions are remembered: some 10 MiB; a thousand a second for a minute. */
export const ABSENCES_MAX = 65_536;
/**
 * For how long at least: twice what a view may be on its way. Its call ends after 3 s, and a connection on which nothing is
 * heard is closed within 25 s.
 */
export const ABSENCE_KEPT_MS = 60_000;
