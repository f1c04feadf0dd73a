/** A progress bar on a terminal, nothing elsewhere. */
import { formatDuration, formatSize } from './units.ts';

/** The rate is that of the last few seconds, so that the time left follows what is happening now. */
const RATE_WINDOW_MS = 5000;
const REDRAWS_PER_SECOND = 8;

/** Seconds → milliseconds, rounded up: nobody reads parts of a second. */
const wholeSeconds = (seconds: number) => Math.ceil(seconds) * 1000;

export interface Progress {
  update(done: { bytes: number; totalBytes: number; files: number; totalFiles: number }): void;
  end(): void;
}

const SILENT: Progress = { update() {}, end() {} };

export async function startProgress(what: string, enabled: boolean): Promise<Progress> {
  if (!enabled || !process.stderr.isTTY) return SILENT;
  const { SingleBar } = (await import('cli-progress')).default;
  const bar = new SingleBar({
    format: `${what} {bar} {percentage}%  {done} of {all}{files}  {rate}/s  {left}`,
    stream: process.stderr,
    hideCursor: true,
    fps: REDRAWS_PER_SECOND,
    barsize: 24,
    barCompleteChar: '━',
    barIncompleteChar: '─',
  });
  const samples: { atMs: number; bytes: number }[] = [];
  let isStarted = false;
  return {
    update({ bytes, totalBytes, files, totalFiles }) {
      const nowMs = performance.now();
      samples.push({ atMs: nowMs, bytes });
      while (samples.length > 2 && nowMs - samples[0]!.atMs > RATE_WINDOW_MS) samples.shift();
      const first = samples[0]!;
      const rate = nowMs > first.atMs ? ((bytes - first.bytes) * 1000) / (nowMs - first.atMs) : 0;
      const payload = {
        done: formatSize(bytes),
        // Not `total`: that name is the bar's own, in plain bytes.
        all: formatSize(totalBytes),
        files: totalFiles > 1 ? `  ${files}/${totalFiles} files` : '',
        rate: formatSize(rate),
        left: rate > 0 && totalBytes > bytes ? `${formatDuration(wholeSeconds((totalBytes - bytes) / rate))} left` : '',
      };
      if (!isStarted) bar.start(totalBytes, bytes, payload);
      isStarted = true;
      bar.setTotal(totalBytes);
      bar.update(bytes, payload);
    },
    end() {
      if (isStarted) bar.stop();
    },
  };
}
