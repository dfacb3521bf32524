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

/** Who defers the recommendations: the graph by `@enrichment`, or the page by `@defer`. */
export type DeferralMode = 'graph' | 'page';

export function productHref(id: string, lateBy: DeferralMode = 'graph'): string {
  return `/product/${encodeURIComponent(id)}${lateBy === 'page' ? deferredSearch : ''}`;
}

export function deferralModeOf(search: string): DeferralMode {
  return search === deferredSearch ? 'page' : 'graph';
}

const deferredSearch = '?recommendations=deferred';

export function departmentHref(department: Department | undefined): string {
  return department === undefined ? '/' : `/department/${department.toLowerCase()}`;
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
