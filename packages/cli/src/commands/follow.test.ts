import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FsError } from '@cairnfs/base';
import type { Stats } from '@cairnfs/client';
import { type FollowedFile, follow } from './follow.ts';

/** A file that is known by its inode, wherever its path went. */
class File {
  content: string;
  isGone = false;
  readonly ino: number;

  constructor(ino: number, content: string) {
    this.ino = ino;
    this.content = content;
  }

  async stat(): Promise<Stats> {
    if (this.isGone) throw new FsError('STALE_HANDLE', 'gone');
    return { ino: this.ino, size: this.content.length } as Stats;
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number) {
    if (this.isGone) throw new FsError('STALE_HANDLE', 'gone');
    const bytes = Buffer.from(this.content).subarray(position, position + length);
    buffer.set(bytes, offset);
    return { bytesRead: bytes.length, buffer };
  }
}

/** Follows from the end of `first`; before each look one of `events` happens, after the last it is interrupted. */
async function followed(first: File, events: readonly ((set: (file: File | undefined) => void) => void)[]) {
  let there: File | undefined = first;
  const opened = () => {
    if (there === undefined) throw new FsError('NOT_FOUND', 'no');
    return there;
  };
  const client = {
    stat: async () => opened().stat(),
    open: async () => opened() as unknown as FollowedFile,
  };
  const told: string[] = [];
  let text = '';
  const interrupted = new Error('interrupted');
  const left = [...events];
  const pause = async () => {
    const event = left.shift();
    if (event === undefined) throw interrupted;
    event((file) => {
      there = file;
    });
  };
  const from = { file: first as unknown as FollowedFile, position: first.content.length };
  const options = { signal: new AbortController().signal, pause, tell: (line: string) => told.push(line) };
  const read = async () => {
    for await (const piece of follow(client, '/log', from, options)) text += Buffer.from(piece).toString();
  };
  let failure = '';
  await read().catch((error: Error) => {
    if (error !== interrupted) failure = error.message;
  });
  return { text, told, failure };
}

const nothing = () => {};

test('tail -f: what is appended comes once', async () => {
  const file = new File(1, 'old\n');
  const grow = () => {
    file.content += 'new\n';
  };
  deepEqual(await followed(file, [grow, nothing, grow]), { text: 'new\nnew\n', told: [], failure: '' });
});

test('tail -f: a file that replaces the followed one comes from its start, whether longer or shorter', async () => {
  for (const content of ['a longer text than the old one\n', 'new\n', '']) {
    const replaced = await followed(new File(1, 'some old text\n'), [
      (set) => set(new File(2, content)),
      nothing,
      nothing,
    ]);
    deepEqual(replaced, { text: content, told: ["'/log' was replaced: following the new file"], failure: '' });
  }
});

test('tail -f: the last that was written to a file before it was replaced comes first', async () => {
  const old = new File(1, 'a\n');
  const replace = (set: (file: File) => void) => {
    old.content += 'b\n';
    set(new File(2, 'c\n'));
  };
  equal((await followed(old, [replace, nothing])).text, 'b\nc\n');
  const gone = new File(1, 'a\n');
  const destroy = (set: (file: File) => void) => {
    gone.isGone = true;
    set(new File(2, 'c\n'));
  };
  equal((await followed(gone, [destroy, nothing])).text, 'c\n');
});

test('tail -f: a cut and a deletion are told', async () => {
  const file = new File(1, 'abc\n');
  const cut = () => {
    file.content = 'a\n';
  };
  const grow = () => {
    file.content += 'z\n';
  };
  const { text, told } = await followed(file, [cut, grow]);
  deepEqual([text, told], ['z\n', ["'/log' was cut: following from its new end"]]);
  const deleted = await followed(new File(1, 'abc\n'), [(set) => set(undefined)]);
  equal(deleted.failure, "ENOENT: '/log' was deleted or renamed: nothing is left to follow");
});
