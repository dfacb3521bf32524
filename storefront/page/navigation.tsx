import { type AnchorHTMLAttributes, type MouseEvent, useSyncExternalStore } from 'react';
import { type LoadingMode, modeOf } from './routes.ts';

const changed = 'storefront:address';

function subscribe(listener: () => void): () => void {
  window.addEventListener('popstate', listener);
  window.addEventListener(changed, listener);
  return () => {
    window.removeEventListener('popstate', listener);
    window.removeEventListener(changed, listener);
  };
}

/** Returns the current path of the URL and renders again when it changes. */
export function usePathname(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname);
}

function useSearch(): string {
  return useSyncExternalStore(subscribe, () => window.location.search);
}

/** Returns the loading mode that the URL selects. */
export function useMode(): LoadingMode {
  return modeOf(useSearch());
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { readonly href: string };

/** A link inside the shop, which changes the URL without loading a document. The browser handles clicks with a
 *  modifier key, so that "open in a new tab" works. */
export function Link({ href, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const { pathname, search } = window.location;
    if (href !== pathname + search) window.history.pushState(null, '', href);
    window.dispatchEvent(new Event(changed));
  };
  return <a {...rest} href={href} onClick={follow} />;
}
