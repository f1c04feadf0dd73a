import { equal, rejects, throws } from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { type Content, contentSource } from './content.ts';
import type { UploadSource } from './upload-source.ts';

async function textOf(source: UploadSource): Promise<string> {
  const frames: Uint8Array[] = [];
  for (let frame = await source.next(4); frame !== undefined; frame = await source.next(4)) frames.push(frame);
  return Buffer.concat(frames).toString();
}

test('content: text, views, iterables and streams of them are the same bytes', async () => {
  async function* generated() {
    yield 'grüß';
    yield Buffer.from(' gott');
  }
  const bytes = Buffer.from('grüß gott');
  const contents: (() => Content)[] = [
    () => 'grüß gott',
    () => bytes,
    () => new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    () => ['grüß', ' ', Buffer.from('gott')],
    generated,
    () => Readable.from([Buffer.from('grüß '), Buffer.from('gott')]),
  ];
  for (const content of contents) {
    equal(await textOf(contentSource(content())), 'grüß gott');
  }
  equal(await textOf(contentSource('Z3LDvMOf', 'base64')), 'grüß');
});

test('content: what is none is refused in words', async () => {
  for (const wrong of [undefined, null, 7, {}, () => 'text']) {
    throws(() => contentSource(wrong as unknown as Content), { code: 'EINVAL', message: /give a string, a buffer/ });
  }
  await rejects(textOf(contentSource([7] as unknown as Content)), { code: 'EINVAL' });
});
