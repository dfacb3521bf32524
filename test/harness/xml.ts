/** An element of a document. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (XmlElement | string)[];
}

// What XML 1.0 allows in a document.
const characters = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u;

const token =
  /<\?[\s\S]*?\?>|<!--(?:(?!--)[\s\S])*-->|<\/([\w:.-]+)\s*>|<([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;

/** Parses a document without a document type or CDATA. @throws {Error} if the document is not well formed. */
export function parseXml(text: string): XmlElement {
  if (!characters.test(text)) throw new Error('There are characters that XML does not allow.');
  const root = { name: '', attributes: new Map<string, string>(), children: [] as (XmlElement | string)[] };
  const open = [root];
  let end = 0;
  for (const match of text.matchAll(token)) {
    end = (match.index ?? 0) + match[0].length;
    const [, closes, opens, attributes = '', isEmpty, content] = match;
    const current = open.at(-1) ?? root;
    if (closes !== undefined) {
      if (current.name !== closes) throw new Error(`</${closes}> where <${current.name}> is open.`);
      open.pop();
    } else if (opens !== undefined) {
      const element = { name: opens, attributes: parseAttributes(attributes), children: [] };
      current.children.push(element);
      if (isEmpty === '') open.push(element);
    } else if (content !== undefined) {
      if (content.includes(']]>')) throw new Error(']]> stands in text.');
      current.children.push(decode(content));
    }
  }
  if (end !== text.length) throw new Error(`Not well formed: ${text.slice(end, end + 40)}`);
  const elements = root.children.filter((child) => typeof child !== 'string');
  const [element] = elements;
  if (open.length !== 1 || elements.length !== 1 || element === undefined)
    throw new Error('Not one element.');
  return element;
}

function parseAttributes(text: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(/([\w:.-]+)\s*=\s*("[^"]*"|'[^']*')/g)) {
    if (attributes.has(name)) throw new Error(`Twice: ${name}.`);
    // A literal white-space character counts as a space.
    attributes.set(name, decode(value.slice(1, -1).replaceAll(/\s/g, ' ')));
  }
  return attributes;
}

const entities = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function decode(text: string): string {
  return text.replaceAll(/&([^;]*;?)/g, (_, reference: string) => {
    const number = /^#(?:x([0-9a-fA-F]+)|(\d+));$/.exec(reference);
    const decoded =
      number === null
        ? entities.get(reference.slice(0, -1))
        : String.fromCodePoint(
            Number.parseInt(number[1] ?? number[2] ?? '', number[1] === undefined ? 10 : 16),
          );
    if (decoded === undefined || !characters.test(decoded))
      throw new Error(`No such reference: &${reference}`);
    return decoded;
  });
}

export function childElements({ children }: XmlElement): XmlElement[] {
  return children.filter((child) => typeof child !== 'string');
}

export function textOf({ children }: XmlElement): string {
  return children.filter((child) => typeof child === 'string').join('');
}
