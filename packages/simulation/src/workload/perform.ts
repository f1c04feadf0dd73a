/** Runs one planned operation on the real SDK. */
import type { CairnClient } from '@cairnfs/client';
import { filePath, type PlannedFileCall, type PlannedNameCall, subtreePath } from '../schedule/schedule.ts';
import { contentOf, type FileCall, type FileResult, type NamespaceCall } from './recording.ts';

export type NamespaceResult = { names?: string[]; type?: 'file' | 'directory'; size?: number; bytes?: Uint8Array };

type Patience = { readonly timeoutMs: number };

/** As histories have it: what is written is told by a number, which is that of the operation. */
export function fileCallOf(call: PlannedFileCall, writeId: number): FileCall {
  return 'length' in call && call.kind !== 'truncate' && call.kind !== 'read'
    ? { ...call, writeId }
    : (call as FileCall);
}

export function namespaceCallOf(subtree: number, call: PlannedNameCall, writeId: number): NamespaceCall {
  const root = subtreePath(subtree);
  if (call.kind === 'rename') return { ...call, from: root + call.from, to: root + call.to };
  const path = root + call.path;
  return call.kind === 'put' ? { ...call, path, writeId } : { kind: call.kind, path };
}

export async function performFileCall(
  client: CairnClient,
  file: number,
  call: FileCall,
  patience: Patience,
): Promise<FileResult> {
  const path = filePath(file);
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
      const handle = await client.open(path, 'r', undefined, patience);
      const buffer = new Uint8Array(call.length);
      const { bytesRead } = await handle.read(buffer, 0, call.length, call.offset, patience);
      return { bytes: buffer.subarray(0, bytesRead) };
    }
    case 'size':
      return { size: (await client.stat(path, patience)).size };
  }
}

export async function performNamespaceCall(
  client: CairnClient,
  call: NamespaceCall,
  patience: Patience,
): Promise<NamespaceResult> {
  switch (call.kind) {
    case 'mkdir':
      await client.mkdir(call.path, patience);
      return {};
    case 'create':
      await client.open(call.path, 'wx', undefined, patience);
      return {};
    case 'put':
      await client.writeFile(call.path, contentOf(call.writeId, call.length), patience);
      return {};
    case 'rename':
      await client.rename(call.from, call.to, patience);
      return {};
    case 'remove':
      await client.rm(call.path, patience);
      return {};
    case 'list':
      return { names: await client.readdir(call.path, patience) };
    case 'stat': {
      const stats = await client.stat(call.path, patience);
      return { type: stats.isDirectory() ? 'directory' : 'file', size: stats.isDirectory() ? 0 : stats.size };
    }
    case 'read':
      return { bytes: await client.readFile(call.path, patience) };
  }
}
