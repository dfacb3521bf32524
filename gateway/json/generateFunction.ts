/** A function made from source text, for work that is the same for every request of an operation: code with the
 *  names written out runs several times as fast as code that looks them up. `captured` are the values that the
 *  text may use by name. `undefined` where the host forbids code generation
 *  (`--disallow-code-generation-from-strings`): every caller has another way.
 *
 *  Only names that `isPlainName` accepts may stand in the text; everything else comes in through `captured`. */
export function generateFunction<F extends (...parameters: never[]) => unknown>(
  parameters: readonly string[],
  body: string,
  captured: Readonly<Record<string, unknown>>,
): F | undefined {
  const names = Object.keys(captured);
  try {
    const make = new Function(
      ...names,
      `'use strict';\nreturn function (${parameters.join(', ')}) {\n${body}\n};`,
    );
    return make(...names.map((name) => captured[name])) as F;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

/** Whether a name can stand in generated code as a property: a GraphQL name that no object has by itself. */
export function isPlainName(name: string): boolean {
  return /^[_A-Za-z][_0-9A-Za-z]*$/.test(name) && !(name in Object.prototype);
}
