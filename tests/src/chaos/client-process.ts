/** A client of the run: `node client-process.js CONFIG`. Asks until it is told to end (SIGTERM), or is killed. */
import { readFileSync } from 'node:fs';
import { toFsError } from '@cairnfs/base';
import { type CairnClient, connect } from '@cairnfs/client/node';
import { SimRandom } from '@cairnfs/sim';
import {
  fileCallOf,
  filePath,
  namespaceCallOf,
  type PlannedCall,
  performFileCall,
  performNamespaceCall,
  refusalOf,
  subtreePath,
} from '@cairnfs/simulation';
import type { ClientConfig } from './client-config.ts';
import { OperationLog } from './operation-log.ts';
import { Workload } from './workload.ts';

/** Callers at once in one process, which share the SDK with what it remembers. */
const CALLERS = ['a', 'b'] as const;
const THINK_MS = [20, 400] as const;

const config = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ClientConfig;
let isEnding = false;
process.on('SIGTERM', () => {
  isEnding = true;
});
process.on('SIGINT', () => process.exit(130));
process.stdin.on('end', () => process.exit(1)).resume(); // the run is gone

const log = new OperationLog(config.folder, config);
const sdk = await connect({ masters: [config.master] });
await Promise.all(CALLERS.map((caller) => work(caller)));
await sdk.close();
log.close();
process.stdin.destroy();

async function work(caller: string): Promise<void> {
  const client = `${config.name}${caller}`;
  const random = new SimRandom(config.seed, client);
  const workload = new Workload(random.fork(`${client} calls`), config);
  while (!isEnding) {
    const elapsedMs = (Number(process.hrtime.bigint()) - config.startNs) / 1e6;
    const { call, timeoutMs } = workload.next(elapsedMs);
    await perform(sdk, client, call, timeoutMs);
    await new Promise((resolve) => setTimeout(resolve, random.between(...THINK_MS)));
  }
}

async function perform(sdk: CairnClient, client: string, planned: PlannedCall, timeoutMs: number): Promise<void> {
  const id = log.nextId();
  try {
    if (planned.on === 'file') {
      const file = filePath(planned.file);
      const call = fileCallOf(planned.call, id);
      log.begin({ id, client, file, call });
      log.ok(id, await performFileCall(sdk, file, call, { timeoutMs }));
    } else {
      const subtree = subtreePath(planned.subtree);
      const call = namespaceCallOf(planned.call, id);
      log.begin({ id, client, subtree, call });
      log.ok(id, await performNamespaceCall(sdk, subtree, call, { timeoutMs }));
    }
  } catch (error) {
    log.failed(id, refusalOf(error), toFsError(error).kind);
  }
}
