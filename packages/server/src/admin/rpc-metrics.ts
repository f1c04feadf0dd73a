/** The calls a server answers: counters by method, and the histogram of their durations. */
import { DURATION_BUCKETS_MS, type RpcStatistics } from '@cairnfs/protocol';
import type { Family } from './family.ts';

interface WithRpc {
  readonly rpc: RpcStatistics;
}

export const rpcFamilies: readonly Family<WithRpc>[] = [
  {
    name: 'cairn_rpc_calls_total',
    help: 'Calls answered, by method; refused ones and those over gRPC included.',
    type: 'counter',
    labels: ['method'],
    read: ({ rpc }) => rpc.methods.map(({ method, count }) => ({ labels: { method }, value: count })),
  },
  {
    name: 'cairn_rpc_errors_total',
    help: 'Calls answered with an error, by method and code. NOT_FOUND and the like are answers, not faults; watch INTERNAL, OVERLOADED, DISK_FAILED.',
    type: 'counter',
    labels: ['method', 'code'],
    read: ({ rpc }) =>
      rpc.methods.flatMap(({ method, errors }) =>
        errors.map(({ kind, count }) => ({ labels: { method, code: kind }, value: count })),
      ),
  },
  {
    name: 'cairn_rpc_received_bytes_total',
    help: 'Bytes of frames received on the framed protocol (gRPC is not counted).',
    type: 'counter',
    read: ({ rpc }) => rpc.receivedBytes,
  },
  {
    name: 'cairn_rpc_sent_bytes_total',
    help: 'Bytes of frames sent on the framed protocol (gRPC is not counted).',
    type: 'counter',
    read: ({ rpc }) => rpc.sentBytes,
  },
  {
    name: 'cairn_rpc_connections',
    help: 'Open connections of the framed protocol.',
    type: 'gauge',
    read: ({ rpc }) => rpc.connectionCount,
  },
];

const DURATION = 'cairn_rpc_duration_seconds';

/**
 * In the text format itself, because prom-client's histograms take single observations and these are counted already.
 * Methods never called are left out.
 */
export function durationHistogram({ methods }: RpcStatistics): string {
  const lines = [
    `# HELP ${DURATION} From the arrival of a request to its answer, by method; for streams, to the end of the stream.`,
    `# TYPE ${DURATION} histogram`,
  ];
  for (const { method, count, totalMicroseconds, durationCounts } of methods) {
    if (count === 0) continue;
    let below = 0;
    for (const [index, inBucket] of durationCounts.entries()) {
      below += inBucket;
      const upperMs = DURATION_BUCKETS_MS[index];
      const upper = upperMs === undefined ? '+Inf' : upperMs / 1000;
      lines.push(`${DURATION}_bucket{method="${method}",le="${upper}"} ${below}`);
    }
    lines.push(`${DURATION}_sum{method="${method}"} ${totalMicroseconds / 1e6}`);
    lines.push(`${DURATION}_count{method="${method}"} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}
