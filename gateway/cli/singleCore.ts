import { setFlagsFromString } from 'node:v8';
import { availableCores } from './availableCores.ts';

// Options of V8 for a process that has a single core, where V8's helper threads take turns with the main thread.

/** Lets the main thread collect the young generation alone: with helper threads, every pause would last until the last of
 *  them has had its turn. */
export function collectAloneOnOneCore(cores = availableCores(), setFlags = setFlagsFromString): void {
  if (cores === 1) setFlags('--no-parallel-scavenge');
}

/** Starts without the work that V8 does in advance, which takes a quarter of the time until the gateway is ready. Call the
 *  returned function then.
 *
 *  - TurboFan, V8's slowest and best compiler, is busy with code that runs only at the start. V8's efficiency mode is made
 *    for starting without it: with `--no-opt`, code from the start would never be compiled again.
 *  - Incremental marking of a heap that grows all the time finds little garbage. A full collection without it pauses longer,
 *    and there are no requests yet. */
export function postponeBackgroundWorkOnOneCore(
  cores = availableCores(),
  setFlags = setFlagsFromString,
): () => void {
  if (cores !== 1) return () => {};
  setFlags('--no-incremental-marking');
  if (hasEfficiencyMode) {
    setFlags('--efficiency-mode-disable-turbofan');
    setFlags('--efficiency-mode');
  }
  return () => {
    setFlags('--incremental-marking');
    if (hasEfficiencyMode) setFlags('--no-efficiency-mode');
  };
}

/** An earlier V8 may not know the flags, and would report them on standard error. */
const hasEfficiencyMode = Number.parseInt(process.versions.v8, 10) >= 14;
