/** Faults that wait for a message: they strike when somebody sends one of that kind. */
import type { MessageKind } from '../schedule/schedule.ts';
import type { WireFrame, WireListener } from '../wire/wire-tap.ts';

interface Trap {
  readonly message: MessageKind;
  passesLeft: number;
  readonly strike: (frame: WireFrame) => void;
}

export class MessageTraps implements WireListener {
  #traps: Trap[] = [];

  /** Runs `strike` once, while the message for which this is the `pass`th time from now is handed to the sender's kernel. */
  set(message: MessageKind, pass: number, strike: (frame: WireFrame) => void): void {
    this.#traps.push({ message, passesLeft: pass, strike });
  }

  sent(frame: WireFrame): void {
    if (this.#traps.length === 0) return;
    const sprung: Trap[] = [];
    for (const trap of this.#traps) {
      if (isOfKind(frame, trap.message)) trap.passesLeft -= 1;
      if (trap.passesLeft === 0) sprung.push(trap);
    }
    if (sprung.length === 0) return;
    this.#traps = this.#traps.filter((trap) => !sprung.includes(trap));
    for (const { strike } of sprung) strike(frame);
  }
}

function isOfKind({ role, call }: WireFrame, { method, isAnswer }: MessageKind): boolean {
  if (call.method.name !== method) return false;
  return isAnswer ? role === 'response' || role === 'error' : role === 'request';
}
