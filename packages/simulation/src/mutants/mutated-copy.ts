/** A copy of the repository's sources and builds in a temporary folder, that one mutant at a time is put into. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as allOf } from 'node:stream/consumers';
import { edited } from './edits.ts';
import type { Mutant } from './mutant.ts';
import { startGroup } from './process-groups.ts';

const OWN_SCOPE = '@cairnfs';
const COPIED = ['package.json', 'tsconfig.json', 'tsconfig.base.json', 'packages'];

export class MutatedCopy {
  readonly root: string;

  /** @param repository built */
  constructor(repository: string) {
    this.root = mkdtempSync(join(tmpdir(), 'cairn-mutants-'));
    try {
      this.#fill(repository);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  #fill(repository: string): void {
    for (const name of COPIED) {
      const filter = (path: string) => !path.endsWith('node_modules');
      cpSync(join(repository, name), join(this.root, name), { recursive: true, filter, preserveTimestamps: true });
    }
    this.#allowUnusedNames();
    this.#makeRunnable();
    this.#linkModules(join(repository, 'node_modules'), join(this.root, 'node_modules'));
    for (const name of readdirSync(join(repository, 'packages'))) {
      const own = join(repository, 'packages', name, 'node_modules');
      // What npm could not hoist.
      if (readdirSync(join(repository, 'packages', name)).includes('node_modules')) {
        symlinkSync(own, join(this.root, 'packages', name, 'node_modules'));
      }
    }
  }

  /** Builds the mutant, runs `work`, and takes the mutant out again, unless it `stays`. */
  async with<T>({ edits }: Mutant, work: () => Promise<T>, { stays = false } = {}): Promise<T> {
    const texts = new Map<string, string>();
    try {
      for (const edit of edits) {
        const path = join(this.root, edit.file);
        const text = readFileSync(path, 'utf8');
        if (!texts.has(path)) texts.set(path, text);
        writeFileSync(path, edited(text, edit));
      }
      await this.#build();
      return await work();
    } finally {
      if (!stays) for (const [path, text] of texts) writeFileSync(path, text);
    }
  }

  remove(): void {
    // A compiler that was killed just now may have written one more file.
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  /** In a process of its own, beside which this one hears of signals. */
  async #build(): Promise<void> {
    const compiler = join(this.root, 'node_modules', '.bin', 'tsc');
    const { leader, exited } = startGroup(compiler, ['-b', join(this.root, 'packages', 'simulation')]);
    const [output, errors, code] = await Promise.all([allOf(leader.stdout), allOf(leader.stderr), exited]);
    if (code !== 0) throw new Error(`the mutant does not compile: ${output}${errors}`);
  }

  /** What a mutant takes out often leaves a name that nobody uses. */
  #allowUnusedNames(): void {
    const path = join(this.root, 'tsconfig.base.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace(/"(noUnusedLocals|noUnusedParameters)": true/g, '"$1": false'));
  }

  /** What the simulator prints, to be typed, works here as well. */
  #makeRunnable(): void {
    const path = join(this.root, 'package.json');
    const { name, type } = JSON.parse(readFileSync(path, 'utf8'));
    const simulate = 'tsc -b packages/simulation && node packages/simulation/dist/runner/main.js';
    writeFileSync(path, JSON.stringify({ name, private: true, type, scripts: { simulate } }));
  }

  /** Dependencies as they are; the packages of this repository from the copy. */
  #linkModules(from: string, to: string): void {
    mkdirSync(to);
    for (const name of readdirSync(from)) if (name !== OWN_SCOPE) symlinkSync(join(from, name), join(to, name));
    mkdirSync(join(to, OWN_SCOPE));
    for (const name of readdirSync(join(this.root, 'packages'))) {
      symlinkSync(join(this.root, 'packages', name), join(to, OWN_SCOPE, name));
    }
  }
}
