/** One Ctrl-C in a terminal signals this process twice: directly, and through a parent process that forwards the signal. */
const duplicateSignalWindowMs = 300;

interface StopSignalHandlers {
  /** Called at the first SIGTERM, SIGINT or SIGHUP, or when the IPC channel to a parent process closes. */
  readonly onStop: (signal?: NodeJS.Signals) => void;
  /** Called at each further signal. */
  readonly onForcedStop: () => void;
}

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Listens for stop signals until the returned function is called. */
export function listenForStopSignals({ onStop, onForcedStop }: StopSignalHandlers): () => void {
  let lastAt: number | undefined;
  const listener = (signal: NodeJS.Signals) => {
    const now = performance.now();
    const isDuplicate = lastAt !== undefined && now - lastAt <= duplicateSignalWindowMs;
    if (isDuplicate) return;
    if (lastAt === undefined) onStop(signal);
    else onForcedStop();
    lastAt = now;
  };
  const onDisconnect = () => onStop();
  for (const signal of stopSignals) process.on(signal, listener);
  process.on('disconnect', onDisconnect);
  return () => {
    for (const signal of stopSignals) process.off(signal, listener);
    process.off('disconnect', onDisconnect);
  };
}
