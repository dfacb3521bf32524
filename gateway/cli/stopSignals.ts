/** Ctrl-C in a terminal signals this process twice: directly, and through a parent process that forwards the signal. */
const duplicateSignalWindowMs = 300;

interface StopSignalHandlers {
  /** Called at the first SIGTERM or SIGINT, or when the IPC channel to a parent process closes. */
  readonly onStop: () => void;
  /** Called at a second signal, which requests an immediate exit. */
  readonly onForcedStop: () => void;
}

/** Listens for SIGTERM and SIGINT until the returned function is called. */
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
  process.on('SIGTERM', listener).on('SIGINT', listener).on('disconnect', onStop);
  return () => {
    process.off('SIGTERM', listener).off('SIGINT', listener).off('disconnect', onStop);
  };
}
