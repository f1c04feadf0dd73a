/** What a server can be told, with the words of `cairn config example`. */
import { CHUNK_BYTES_MAX } from '@cairnfs/protocol';
import { z } from 'zod';
import { ADMIN_PORT_DISTANCE } from './admin-listen.ts';
import { address, addressOrOff, chunkSize, duration, oneOf, size, text, wholeNumber } from './fields.ts';
import { folders } from './folders.ts';

const SECOND_MS = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const logging = {
  log_level: oneOf(['debug', 'info', 'warn', 'error']).default('info').describe('How much is logged.'),
};

const administration = {
  admin_listen: addressOrOff()
    .optional()
    .describe(
      'Where /healthz and /metrics (for Prometheus) are served over HTTP, or "off"; otherwise the host of "listen" ' +
        `with a port ${ADMIN_PORT_DISTANCE} higher. Whoever reaches it may read it.`,
    ),
};

const disk = {
  disk_timeout: duration({ minMs: 10 * SECOND_MS, maxMs: HOUR_MS, allowed: 'for example "60s", from 10s to 1h' })
    .default(60 * SECOND_MS)
    .describe('How long a disk may leave an operation unanswered before it counts as failed.'),
};

export const masterSchema = z.strictObject({
  listen: address()
    .default('127.0.0.1:9000')
    .describe('Where clients and chunkservers reach the master: framed protocol and gRPC on one port.'),
  data: text('a folder').describe('The folder of the journal and the state. Only one master may use it.'),
  replication: wholeNumber(1, 10).default(3).describe('Copies of each chunk of files that do not say otherwise.'),
  minimum_copies: wholeNumber(1, 10)
    .default(2)
    .describe('Copies that must be durable before a write is acknowledged; for files with fewer copies, all of them.'),
  selector: oneOf(['spread', 'random'])
    .default('spread')
    .describe('How chunkservers are chosen: over racks and hosts, emptier disks first; or at random.'),
  trash_keep: duration({ minMs: 0, maxMs: 365 * DAY_MS, allowed: 'for example "3d", at most 365d' })
    .default(3 * DAY_MS)
    .describe('How long deleted files stay in /.trash.'),
  garbage_grace: duration({ minMs: 0, maxMs: 30 * DAY_MS, allowed: 'for example "10m", at most 30d' })
    .default(600 * SECOND_MS)
    .describe('How long chunks that no file needs any more stay readable for those who still read the old file.'),
  dead_after: duration({ minMs: 11 * SECOND_MS, maxMs: DAY_MS, allowed: 'for example "30s", from 11s to 24h' })
    .default(11 * SECOND_MS)
    .describe('Silence after which a chunkserver counts as dead and its chunks are copied elsewhere.'),
  chunk_lease: duration({ minMs: 10 * SECOND_MS, maxMs: 60 * SECOND_MS, allowed: 'for example "60s", from 10s to 60s' })
    .default(60 * SECOND_MS)
    .describe('How long a chunkserver that cannot be reached may still order the writes of a chunk.'),
  chunk_size: chunkSize()
    .default(CHUNK_BYTES_MAX)
    .describe('The largest chunk: 128KiB to 64MiB in steps of 64KiB. Fixed by the first start of a cluster.'),
  ...disk,
  ...administration,
  ...logging,
});

export const chunkserverSchema = z.strictObject({
  listen: address()
    .default('127.0.0.1:8080')
    .describe('Where clients and other chunkservers reach this one: framed protocol and gRPC on one port.'),
  advertise: address().optional().describe('The address told to others, when it differs from "listen".'),
  masters: z
    .array(address(), { error: 'expected a list of "host:port"' })
    .min(1, 'expected at least one master')
    .default(['127.0.0.1:9000'])
    .describe('The masters of the cluster.'),
  disks: folders().describe('One folder on each disk. A disk that fails is taken out alone.'),
  capacity: size({ minBytes: 16 * 1024 * 1024, allowed: 'for example "500GiB", at least 16MiB' })
    .optional()
    .describe('The most that this server stores on each disk; otherwise what the disk holds.'),
  host: text('a name')
    .optional()
    .describe('The machine, so that copies go to different ones; otherwise its host name.'),
  rack: text('a name').default('default').describe('The rack, so that copies go to different ones.'),
  quarantine_grace: duration({ minMs: 0, maxMs: 365 * DAY_MS, allowed: 'for example "1h", at most 365d' })
    .default(HOUR_MS)
    .describe('How long chunks that the master ordered away stay in the quarantine folder before they are deleted.'),
  ...disk,
  ...administration,
  ...logging,
});

export type MasterSettings = z.output<typeof masterSchema>;
export type ChunkserverSettings = z.output<typeof chunkserverSchema>;
