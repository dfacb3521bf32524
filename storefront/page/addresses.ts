import type { Department } from './operations.ts';

export const departments: ReadonlyMap<Department, string> = new Map([
  ['KITCHEN', 'Kitchen'],
  ['OUTDOOR', 'Outdoor'],
  ['HOME', 'Home'],
  ['OFFICE', 'Office'],
]);

/** Where the visitor is. */
export type Place =
  | { readonly kind: 'catalogue'; readonly department: Department | undefined }
  | { readonly kind: 'product'; readonly id: string }
  | { readonly kind: 'nowhere' };

export function addressOfProduct(id: string): string {
  return `/product/${encodeURIComponent(id)}`;
}

export function addressOfDepartment(department: Department | undefined): string {
  return department === undefined ? '/' : `/department/${department.toLowerCase()}`;
}

export function placeAt(pathname: string): Place {
  if (pathname === '/') return { kind: 'catalogue', department: undefined };
  const [, kind, name, ...rest] = pathname.split('/');
  if (name === undefined || name === '' || rest.length > 0) return { kind: 'nowhere' };
  if (kind === 'product') return productPlace(name);
  const department = [...departments.keys()].find((each) => each.toLowerCase() === name);
  if (kind === 'department' && department !== undefined) return { kind: 'catalogue', department };
  return { kind: 'nowhere' };
}

function productPlace(encodedId: string): Place {
  try {
    return { kind: 'product', id: decodeURIComponent(encodedId) };
  } catch {
    // A stray `%` in a hand-written address.
    return { kind: 'nowhere' };
  }
}
