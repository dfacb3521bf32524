import { useEffect, useState, useSyncExternalStore } from 'react';

function subscribe(listener: () => void): () => void {
  window.addEventListener('online', listener);
  window.addEventListener('offline', listener);
  return () => {
    window.removeEventListener('online', listener);
    window.removeEventListener('offline', listener);
  };
}

/** Returns whether the page reaches its server, and renders again when that changes. Without a network, a browser is offline
 *  for a server on the same machine, too, which still responds. */
export function useOnline(): boolean {
  const hasNetwork = useSyncExternalStore(subscribe, () => navigator.onLine);
  const [isReachable, setIsReachable] = useState(true);
  useEffect(() => {
    setIsReachable(true);
    if (hasNetwork) return;
    let isCurrent = true;
    fetch('/', { method: 'HEAD', cache: 'no-store' }).catch(() => {
      if (isCurrent) setIsReachable(false);
    });
    return () => {
      isCurrent = false;
    };
  }, [hasNetwork]);
  return hasNetwork || isReachable;
}
