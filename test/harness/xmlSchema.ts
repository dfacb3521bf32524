import { childElements, textOf, type XmlElement } from './xml.ts';

/** Validates a document by an XML Schema and returns its problems, each with a path. Supports the constructs of the
 *  schema for JUnit reports: global elements and types, sequences and choices of references, attributes, patterns.
 *  @throws {Error} for any other construct. */
export function findSchemaProblems(document: XmlElement, schema: XmlElement): string[] {
  const globals = new Map(childElements(schema).map((item) => [`${item.name} ${nameOf(item)}`, item]));
  return elementProblems(document, `/${document.name}`);

  function elementProblems(element: XmlElement, path: string): string[] {
    const declaration = globals.get(`xs:element ${element.name}`);
    return declaration === undefined
      ? [`${path}: no such element`]
      : declarationProblems(element, declaration, path);
  }

  function declarationProblems(element: XmlElement, declaration: XmlElement, path: string): string[] {
    const type = declaration.attributes.get('type');
    if (type === 'xs:string') return simpleContentProblems(element, path);
    const complex =
      type === undefined ? childElements(declaration)[0] : globals.get(`xs:complexType ${type}`);
    if (complex?.name !== 'xs:complexType') throw new Error(`The schema has an unknown type at ${path}.`);
    const isMixed = complex.attributes.get('mixed') === 'true';
    const stray = !isMixed && textOf(element).trim() !== '' ? [`${path}: text is not allowed`] : [];
    return [
      ...stray,
      ...attributeProblems(element, complex, path),
      ...contentProblems(element, complex, path),
    ];
  }

  function simpleContentProblems(element: XmlElement, path: string): string[] {
    const isText = childElements(element).length === 0 && element.attributes.size === 0;
    return isText ? [] : [`${path}: only text is allowed`];
  }

  function attributeProblems(element: XmlElement, complex: XmlElement, path: string): string[] {
    const declared = childElements(complex).filter(({ name }) => name === 'xs:attribute');
    const names = declared.map(nameOf);
    const unknown = [...element.attributes.keys()].filter((name) => !names.includes(name));
    return [
      ...unknown.map((name) => `${path}: no such attribute: ${name}`),
      ...declared.flatMap((attribute) => {
        const value = element.attributes.get(nameOf(attribute));
        if (value !== undefined) return isOfType(value, attribute) ? [] : [`${path}: wrong: ${value}`];
        const isMissing = attribute.attributes.get('use') === 'required';
        return isMissing ? [`${path}: attribute missing: ${nameOf(attribute)}`] : [];
      }),
    ];
  }

  function isOfType(value: string, attribute: XmlElement): boolean {
    const type = attribute.attributes.get('type') ?? '';
    if (type === 'xs:string') return true;
    const [restriction] = childElements(globals.get(`xs:simpleType ${type}`) ?? attribute);
    const [pattern] = restriction === undefined ? [] : childElements(restriction);
    if (pattern?.name !== 'xs:pattern') throw new Error(`The schema has an unknown type ${type}.`);
    return new RegExp(`^(?:${pattern.attributes.get('value')})$`, 'u').test(value);
  }

  function contentProblems(element: XmlElement, complex: XmlElement, path: string): string[] {
    const children = childElements(element);
    const groups = childElements(complex).filter(({ name }) => name !== 'xs:attribute');
    const allowed = groups.flatMap(referencesOf);
    return children.flatMap((child, index) => {
      const place = `${path}/${child.name}[${index}]`;
      return allowed.includes(child.name) ? elementProblems(child, place) : [`${place}: not allowed here`];
    });
  }
}

function nameOf({ attributes }: XmlElement): string {
  return attributes.get('name') ?? '';
}

/** In the schema of JUnit reports, every group may be repeated or has only one reference, so the order never
 *  counts. */
function referencesOf(group: XmlElement): string[] {
  if (group.name !== 'xs:sequence' && group.name !== 'xs:choice') throw new Error(`Unknown: ${group.name}.`);
  return childElements(group).flatMap((item) =>
    item.name === 'xs:element' ? [item.attributes.get('ref') ?? nameOf(item)] : referencesOf(item),
  );
}
