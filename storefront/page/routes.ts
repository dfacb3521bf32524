import type { Department } from './operations.ts';

export const departments: ReadonlyMap<Department, string> = new Map([
  ['KITCHEN', 'Kitchen'],
  ['OUTDOOR', 'Outdoor'],
  ['HOME', 'Home'],
  ['OFFICE', 'Office'],
]);

/** The page that the URL names. */
export type Route =
  | { readonly kind: 'catalogue'; readonly department: Department | undefined }
  | { readonly kind: 'product'; readonly id: string }
  | { readonly kind: 'nowhere' };

/** Who decides what the first payload waits for: no one (everything is awaited), the graph by `@enrichment`, or the page
 *  by `@defer`. */
export type LoadingMode = 'wait' | 'graph' | 'page';

const defaultMode: LoadingMode = 'graph';

export function productHref(id: string, mode: LoadingMode = defaultMode): string {
  return `/product/${encodeURIComponent(id)}${searchOf(mode)}`;
}

/** The query string that keeps the mode from page to page. */
function searchOf(mode: LoadingMode): string {
  return mode === defaultMode ? '' : `?mode=${mode}`;
}

export function modeOf(search: string): LoadingMode {
  const mode = new URLSearchParams(search).get('mode');
  return mode === 'wait' || mode === 'page' ? mode : defaultMode;
}

export function departmentHref(department: Department | undefined, mode: LoadingMode = defaultMode): string {
  const path = department === undefined ? '/' : `/department/${department.toLowerCase()}`;
  return path + searchOf(mode);
}

export function routeOf(pathname: string): Route {
  if (pathname === '/') return { kind: 'catalogue', department: undefined };
  const [, kind, name, ...rest] = pathname.split('/');
  if (name === undefined || name === '' || rest.length > 0) return { kind: 'nowhere' };
  if (kind === 'product') return productRoute(name);
  const department = [...departments.keys()].find((each) => each.toLowerCase() === name);
  if (kind === 'department' && department !== undefined) return { kind: 'catalogue', department };
  return { kind: 'nowhere' };
}

function productRoute(encodedId: string): Route {
  try {
    return { kind: 'product', id: decodeURIComponent(encodedId) };
  } catch {
    // The path is not valid percent-encoding.
    return { kind: 'nowhere' };
  }
}
