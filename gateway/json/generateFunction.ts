/** Creates a function from source text, for tasks that every request of an operation repeats: code with literal property
 *  names runs several times as fast as code that looks names up. `name` is what profiles show. `captured` holds the values
 *  that the text can use by name. Returns `undefined` if Node forbids code generation
 *  (`--disallow-code-generation-from-strings`); callers need a fallback.
 *
 *  Security: the text may contain only names that `isPlainName` accepts. Pass everything else through `captured`. */
export function generateFunction<F extends (...parameters: never[]) => unknown>(
  name: string,
  parameters: readonly string[],
  body: string,
  captured: Readonly<Record<string, unknown>>,
): F | undefined {
  try {
    const make = new Function(
      ...Object.keys(captured),
      `'use strict';\nreturn function ${name}(${parameters.join(', ')}) {\n${body}\n};`,
    );
    return make(...Object.values(captured)) as F;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

/** Whether a name is safe as a property name in generated code: a GraphQL name that `Object.prototype` does not have. */
export function isPlainName(name: string): boolean {
  return /^[_A-Za-z][_0-9A-Za-z]*$/.test(name) && !(name in Object.prototype);
}
