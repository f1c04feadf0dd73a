/** Runs one planned operation on the real SDK. */
import type { CairnClient, FileHandle } from '@cairnfs/client';
import type { Memory } from '@cairnfs/sim';
import { contentOf } from '../history/content.ts';
import type { FileCall, FileResult } from '../history/file-calls.ts';
import type { NamespaceCall, NamespaceResult } from '../history/namespace-calls.ts';
import type { PlannedFileCall, PlannedNameCall } from '../schedule/schedule.ts';
import { ReadBuffers } from './read-buffers.ts';

type Patience = { readonly timeoutMs: number };

const buffers = new ReadBuffers();

/** As histories have it: what is written is told by a number, which is that of the operation. */
export function fileCallOf(call: PlannedFileCall, writeId: number): FileCall {
  return 'length' in call && call.kind !== 'truncate' && call.kind !== 'read'
    ? { writeId, ...call }
    : (call as FileCall);
}

export function namespaceCallOf(call: PlannedNameCall, writeId: number): NamespaceCall {
  return call.kind === 'put' ? { writeId, ...call } : call;
}

/** What each client keeps open, by path. */
const keptHandles = new WeakMap<CairnClient, Map<string, FileHandle>>();

async function keptHandle(client: CairnClient, path: string, patience: Patience): Promise<FileHandle> {
  const handles = keptHandles.get(client) ?? new Map<string, FileHandle>();
  keptHandles.set(client, handles);
  const handle = handles.get(path) ?? (await client.open(path, 'r', undefined, patience));
  handles.set(path, handle);
  return handle;
}

/** @param memory takes what reads return; without it each has its own. */
export async function performFileCall(
  client: CairnClient,
  path: string,
  call: FileCall,
  { memory, ...patience }: Patience & { readonly memory?: Memory },
): Promise<FileResult> {
  switch (call.kind) {
    case 'write': {
      const handle = await client.open(path, 'r+', undefined, patience);
      await handle.write(contentOf(call.writeId, call.length), 0, call.length, call.offset, patience);
      return {};
    }
    case 'append':
      await client.appendFile(path, contentOf(call.writeId, call.length), patience);
      return {};
    case 'appendRecord':
      return client.appendRecord(path, contentOf(call.writeId, call.length), patience);
    case 'put':
      await client.writeFile(path, contentOf(call.writeId, call.length), patience);
      return {};
    case 'truncate':
      await client.truncate(path, call.length, patience);
      return {};
    case 'read': {
      const handle = await (call.isKept === true
        ? keptHandle(client, path, patience)
        : client.open(path, 'r', undefined, patience));
      // After an error it is not given back: whatever still comes must not land in another read.
      const buffer = buffers.take(call.length);
      const { bytesRead } = await handle.read(buffer, 0, call.length, call.offset, patience);
      const read = buffer.subarray(0, bytesRead);
      const bytes = memory === undefined ? read.slice() : memory.copy(read);
      buffers.giveBack(buffer);
      return { bytes };
    }
    case 'size':
      return { size: (await client.stat(path, patience)).size };
  }
}

export async function performNamespaceCall(
  client: CairnClient,
  root: string,
  call: NamespaceCall,
  patience: Patience,
): Promise<NamespaceResult> {
  switch (call.kind) {
    case 'mkdir':
      await client.mkdir(root + call.path, patience);
      return {};
    case 'create':
      await client.open(root + call.path, 'wx', undefined, patience);
      return {};
    case 'put':
      await client.writeFile(root + call.path, contentOf(call.writeId, call.length), patience);
      return {};
    case 'rename':
      await client.rename(root + call.from, root + call.to, patience);
      return {};
    case 'remove':
      await client.rm(root + call.path, patience);
      return {};
    case 'list':
      return { names: (await client.readdir(root + call.path, patience)).sort() };
    case 'stat': {
      const stats = await client.stat(root + call.path, patience);
      return { type: stats.isDirectory() ? 'directory' : 'file', size: stats.isDirectory() ? 0 : stats.size };
    }
    case 'read':
      return { bytes: await client.readFile(root + call.path, patience) };
  }
}
