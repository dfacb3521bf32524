import type { ConstDirectiveNode, DocumentNode } from 'graphql';
import { linkedDirectiveNames } from './linkedDirectives.ts';
import { isComposite } from './supergraphDocument.ts';

/** URL of the specification of the gateway's own directives, without the version. */
export const tributarySpecUrl = 'https://tributary.dev/spec';

/** One application of a directive on a type or on a field. */
interface DirectiveUse {
  readonly type: string;
  /** `undefined` for the type itself. */
  readonly field: string | undefined;
  /** `Type` or `Type.field`. */
  readonly coordinate: string;
  readonly directive: ConstDirectiveNode;
}

/** Applications of one of the specification's directives on object types, interfaces and their fields. `name` is the
 *  name in the specification without `@`; the schema may import it under another name. */
export function* usesOfDirective(document: DocumentNode, name: string): Generator<DirectiveUse> {
  const names = linkedDirectiveNames(document, name, { isSpec, defaultPrefix: 'spec' });
  if (names.size === 0) return;
  for (const definition of document.definitions) {
    if (!isComposite(definition)) continue;
    const type = definition.name.value;
    for (const directive of definition.directives ?? []) {
      if (names.has(directive.name.value)) yield { type, field: undefined, coordinate: type, directive };
    }
    for (const { name: fieldName, directives } of definition.fields ?? []) {
      const field = fieldName.value;
      for (const directive of directives ?? []) {
        if (names.has(directive.name.value)) yield { type, field, coordinate: `${type}.${field}`, directive };
      }
    }
  }
}

/** Every version 1.x is accepted, because minor versions are backward compatible. */
function isSpec(url: string): boolean {
  return (
    url.startsWith(`${tributarySpecUrl}/`) && /^v1(\.\d+)?\/?$/.test(url.slice(tributarySpecUrl.length + 1))
  );
}
