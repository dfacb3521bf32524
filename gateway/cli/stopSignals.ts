/** Ctrl-C in a terminal signals this process twice: directly, and through a parent process that forwards the signal. */
const duplicateSignalWindowMs = 300;

interface StopSignalHandlers {
  /** Called at the first SIGTERM, SIGINT or SIGHUP, or when the IPC channel to a parent process closes. */
  readonly onStop: () => void;
  /** Called at a second signal, which requests an immediate exit. */
  readonly onForcedStop: () => void;
}

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Listens for stop signals until the returned function is called. */
export function listenForStopSignals({ onStop, onForcedStop }: StopSignalHandlers): () => void {
  let firstAt: number | undefined;
  const listener = () => {
    const now = performance.now();
    if (firstAt === undefined) {
      firstAt = now;
      onStop();
    } else if (now - firstAt > duplicateSignalWindowMs) {
      onForcedStop();
    }
  };
  for (const signal of stopSignals) process.on(signal, listener);
  process.on('disconnect', onStop);
  return () => {
    for (const signal of stopSignals) process.off(signal, listener);
    process.off('disconnect', onStop);
  };
}
