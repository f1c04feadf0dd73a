/**
 * After all has healed: `node final-process.js CONFIG`. Reads every file and every name once more, as a client whose history
 * counts like the others', then every copy of every chunk for comparison. Prints what differs, a line each.
 */
import { readFileSync } from 'node:fs';
import { toFsError } from '@cairnfs/base';
import { connect } from '@cairnfs/client/node';
import {
  auditReplicas,
  type FileCall,
  type NamespaceCall,
  type NamespaceResult,
  performFileCall,
  performNamespaceCall,
  refusalOf,
} from '@cairnfs/simulation';
import type { ClientConfig } from './client-config.ts';
import { differingReplicas } from './differing-replicas.ts';
import { OperationLog } from './operation-log.ts';
import { pathsOf } from './workload.ts';

const PATIENCE = { timeoutMs: 60_000 } as const;
/** Longer than any file of a run. */
const WHOLE_FILE_BYTES = 16 * 1024 * 1024;

const config = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as ClientConfig;
process.stdin.on('end', () => process.exit(1)).resume(); // the run is gone
const log = new OperationLog(config.folder, config);
const sdk = await connect({ masters: [config.master] });
const { files, subtrees } = pathsOf(config.durationMs);
for (const file of files) await readFile(file);
for (const subtree of subtrees) await readNames(subtree, '');
for (const line of differingReplicas(await auditReplicas(sdk, files))) console.log(line);
await sdk.close();
log.close();
process.stdin.destroy();

async function readFile(file: string): Promise<void> {
  for (const call of [{ kind: 'size' }, { kind: 'read', offset: 0, length: WHOLE_FILE_BYTES }] as FileCall[]) {
    const id = log.nextId();
    log.begin({ id, client: config.name, file, call });
    await settle(id, performFileCall(sdk, file, call, PATIENCE));
  }
}

async function readNames(subtree: string, folder: string): Promise<void> {
  const { names = [] } = await ask(subtree, { kind: 'list', path: folder });
  for (const name of names) {
    const path = `${folder}/${name}`;
    const { type } = await ask(subtree, { kind: 'stat', path });
    if (type === 'directory') await readNames(subtree, path);
    else if (type === 'file') await ask(subtree, { kind: 'read', path });
  }
}

async function ask(subtree: string, call: NamespaceCall): Promise<NamespaceResult> {
  const id = log.nextId();
  log.begin({ id, client: config.name, subtree, call });
  return settle(id, performNamespaceCall(sdk, subtree, call, PATIENCE));
}

/** A cluster without faults answers: an error here is told, beside what the history makes of it. */
async function settle<R extends object>(id: number, work: Promise<R>): Promise<R | Record<string, never>> {
  try {
    const result = await work;
    log.ok(id, result);
    return result;
  } catch (error) {
    const { kind, message } = toFsError(error);
    log.failed(id, refusalOf(error), kind);
    console.log(`after all has healed: ${message}`);
    return {};
  }
}
