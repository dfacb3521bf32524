import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';

// What V8 does differently in a process that has a single core, where its helper threads take turns with the main thread.

/** Lets the main thread collect the young generation alone: with helper threads, every pause would last until the last of
 *  them has had its turn. */
export function collectAloneOnOneCore(cores = availableParallelism(), setFlags = setFlagsFromString): void {
  if (cores === 1) setFlags('--no-parallel-scavenge');
}

/** Starts without TurboFan, V8's slowest and best compiler. Code that runs only at the start keeps it busy for a fifth of the
 *  time until the gateway is ready. Call the returned function then: from there on, V8 compiles what is hot.
 *
 *  V8's efficiency mode is made for that. With `--no-opt`, code from the start would never be compiled again. */
export function postponeOptimizationOnOneCore(
  cores = availableParallelism(),
  setFlags = setFlagsFromString,
): () => void {
  if (cores !== 1 || !hasEfficiencyMode) return () => {};
  setFlags('--efficiency-mode-disable-turbofan');
  setFlags('--efficiency-mode');
  return () => setFlags('--no-efficiency-mode');
}

/** An earlier V8 may not know the flags, and would report them on standard error. */
const hasEfficiencyMode = Number.parseInt(process.versions.v8, 10) >= 14;
