/** One Ctrl-C in a terminal signals this process twice: directly, and through a parent process that forwards the signal. */
const duplicateSignalWindowMs = 300;

interface StopSignalHandlers {
  /** Called at the first of `stopSignals`, or when the IPC channel to a parent process closes. */
  readonly onStop: (signal?: NodeJS.Signals) => void;
  /** Called at each further signal. */
  readonly onForcedStop: () => void;
}

const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const;

export function isStopSignal(signal: string | null): boolean {
  return stopSignals.some((name) => name === signal);
}

/** Listens for stop signals until the returned function is called. */
export function listenForStopSignals({ onStop, onForcedStop }: StopSignalHandlers): () => void {
  let lastAt: number | undefined;
  const listener = (signal: NodeJS.Signals) => {
    if (isForOtherListener(signal)) return;
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

/** Process managers such as nodemon send SIGUSR2 to end a process, and Node would end it at once. But it stops nothing where
 *  something else listens for it: `--heapsnapshot-signal`, `--report-on-signal`, or an extension. */
export function isForOtherListener(signal: NodeJS.Signals): boolean {
  return signal === 'SIGUSR2' && process.listenerCount(signal) > 1;
}
