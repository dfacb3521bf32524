import type { ResponseObject } from '../../execution/responseTree.ts';
import { isRawNumber, parseExactJson } from '../../json/exactJson.ts';
import { isObject } from '../../json/isObject.ts';

/** The parsed JSON text of an entry that is read repeatedly. A copy costs a quarter of parsing the text again. Readers get
 *  copies, because later fetches are merged into what they get. */
export class ParsedValue {
  /** Whether no string of the value needs an escape sequence. */
  readonly isEscapeFree: boolean;
  /** Approximate bytes, without the text. */
  readonly size: number;
  readonly #value: unknown;
  readonly #template: Template | undefined;

  private constructor(text: string) {
    const value = parseExactJson(text);
    this.isEscapeFree = !text.includes('\\');
    this.#value = value;
    this.#template = isContainer(value) ? new Template(value, maxDepth) : undefined;
    this.size = objectSize + (this.#template?.size ?? sizeOfScalar(value));
  }

  /** `undefined` for a text that is not copied faster than it is parsed, or that is damaged. */
  static parse(text: string): ParsedValue | undefined {
    if (text.length > maxTextLength) return undefined;
    try {
      return new ParsedValue(text);
    } catch {
      return undefined;
    }
  }

  copy(): unknown {
    return this.#template === undefined ? this.#value : this.#template.copy();
  }
}

type Container = ResponseObject | readonly unknown[];

/** An object or array with the templates of its objects and arrays. V8 copies the rest of it at once. */
class Template {
  readonly size: number;
  readonly #container: Container;
  readonly #isArray: boolean;
  readonly #keys: readonly (string | number)[];
  readonly #templates: readonly Template[];

  /** @throws RangeError for a value that is nested deeper than `depth`, or has a key that cannot be assigned. */
  constructor(container: Container, depth: number) {
    if (depth === 0) throw new RangeError('The value is nested too deeply');
    if (Object.hasOwn(container, '__proto__')) throw new RangeError('The value has the key __proto__');
    this.#container = container;
    this.#isArray = Array.isArray(container);
    const keys: (string | number)[] = [];
    const templates: Template[] = [];
    let size = containerSize;
    for (const [key, value] of Object.entries(container)) {
      size += slotSize;
      if (isContainer(value)) {
        const template = new Template(value, depth - 1);
        keys.push(this.#isArray ? Number(key) : key);
        templates.push(template);
        size += template.size;
      } else size += sizeOfScalar(value);
    }
    this.#keys = keys.length === 0 ? none : keys;
    this.#templates = templates.length === 0 ? none : templates;
    this.size = size;
  }

  copy(): Container {
    const templates = this.#templates;
    const copy = (
      this.#isArray ? (this.#container as unknown[]).slice() : { ...this.#container }
    ) as ResponseObject;
    for (let index = 0; index < templates.length; index++) {
      copy[this.#keys[index] as string] = (templates[index] as Template).copy();
    }
    return copy;
  }
}

function isContainer(value: unknown): value is Container {
  return isObject(value) || Array.isArray(value);
}

/** V8 stores a string with one byte per character, or with two if a single character needs them. */
export function textSize(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}

function sizeOfScalar(value: unknown): number {
  if (isRawNumber(value)) return containerSize + value.rawJSON.length;
  return typeof value === 'string' ? stringSize + textSize(value) : 0;
}

// Bytes of this object, of a container with its template, of one slot in both, and of the header of a string. Rounded up
// from measurements.
const objectSize = 64;
const containerSize = 160;
const slotSize = 24;
const stringSize = 24;

const none: readonly never[] = [];

const maxDepth = 50;

/** In characters. A larger value is parsed each time, so that its memory is counted once. */
const maxTextLength = 64 * 1024;
