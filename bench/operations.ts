import { readFileSync } from 'node:fs';

export type OperationName =
  | 'big'
  | 'small'
  | 'catalog'
  | 'prompt'
  | 'deferred'
  | 'deferredHop'
  | 'productPage';

export function operationText(name: OperationName): string {
  return readFileSync(new URL(`./operations/${name}.graphql`, import.meta.url), 'utf8');
}

export function withoutDefer(source: string): string {
  return source.replaceAll(/@defer\([^)]*\)/g, '');
}
