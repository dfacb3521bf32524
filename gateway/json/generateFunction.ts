/** Creates a function from source text, for tasks that every request of an operation repeats: code with literal property
 *  names runs several times as fast as code that looks names up. `captured` holds the values that the text can use by
 *  name. Returns `undefined` if Node forbids code generation (`--disallow-code-generation-from-strings`); callers need a
 *  fallback.
 *
 *  Security: the text may contain only names that `isPlainName` accepts. Pass everything else through `captured`. */
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

/** Whether a name is safe as a property name in generated code: a GraphQL name that `Object.prototype` does not have. */
export function isPlainName(name: string): boolean {
  return /^[_A-Za-z][_0-9A-Za-z]*$/.test(name) && !(name in Object.prototype);
}
