import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, type ConfigProblem } from '../config/configError.ts';
import { findNearestName, suggestName } from '../config/findNearestName.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Extension, ExtensionModule } from './extension.ts';
import { extensionMembers } from './extensionHooks.ts';

/** Creates the extensions of a list. `others`: problems of other options. `timeoutMs`: limits each import and each function
 *  of a module.
 *  @throws {ConfigError} with every problem. Then the extensions that it has created are closed. */
export async function loadExtensions(
  entries: readonly (Extension<object> | ExtensionModule)[],
  log: Logger,
  others: readonly ConfigProblem[] = [],
  timeoutMs = 60_000,
): Promise<readonly Extension[]> {
  const problems = [...others];
  const extensions = new Map<string, { extension: Extension; path: string }>();
  for (const [index, entry] of entries.entries()) {
    const path = `extensions[${index}]`;
    const created = isModule(entry) ? await createFromModule(entry, { log, path, timeoutMs }) : entry;
    if (created instanceof ExtensionProblem) {
      problems.push(created.problem);
      continue;
    }
    const found = findProblems(created, isModule(entry) ? `${path}.module` : path);
    const extension = created as Extension;
    const first = found.length === 0 ? extensions.get(extension.name) : undefined;
    if (first !== undefined) {
      problems.push({
        path,
        message: `has the name "${extension.name}" of ${first.path}`,
        expected: 'extensions with different names',
      });
    } else if (found.length === 0) extensions.set(extension.name, { extension, path });
    problems.push(...found);
  }
  const loaded = Array.from(extensions.values(), ({ extension }) => extension);
  if (problems.length === 0) return loaded;
  for (const extension of loaded.toReversed()) await close(extension, log, timeoutMs);
  throw new ConfigError(problems);
}

async function close(extension: Extension, log: Logger, timeoutMs: number): Promise<void> {
  try {
    await within(timeoutMs, async () => extension.close?.());
  } catch (err) {
    log.error({ err, extension: extension.name }, 'An extension could not be closed');
  }
}

/** Whether an entry names a module, as all entries of a configuration file do. */
export function isModule(entry: Extension<object> | ExtensionModule): entry is ExtensionModule {
  return typeof entry === 'object' && entry !== null && 'module' in entry;
}

class ExtensionProblem {
  readonly problem: ConfigProblem;

  constructor(problem: ConfigProblem) {
    this.problem = problem;
  }
}

async function createFromModule(
  { module, options = {} }: ExtensionModule,
  entry: { readonly log: Logger; readonly path: string; readonly timeoutMs: number },
): Promise<unknown> {
  const { log, timeoutMs } = entry;
  const path = `${entry.path}.module`;
  const name = JSON.stringify(module);
  let exported: unknown;
  try {
    exported = defaultExportOf(await within(timeoutMs, () => importModule(module)));
  } catch (error) {
    if (isNotFound(error) && (error as { url?: string }).url === pathToFileURL(resolve(module)).href)
      return new ExtensionProblem({
        path,
        message: `is ${name}, which does not exist`,
        expected: 'an existing file',
      });
    const reason = describeThrown(error);
    const expected = moduleInCommonJs.test(reason)
      ? moduleExpected
      : error instanceof SyntaxError && locationOf(error) === undefined
        ? `valid syntax: \`node ${module}\` prints the line`
        : '';
    return new ExtensionProblem({
      path,
      message: `is ${name}, which could not be loaded: ${reason}`,
      expected,
    });
  }
  if (exported === undefined) {
    return new ExtensionProblem({
      path,
      message: `is ${name}, which has no default export`,
      expected: '`export default defineExtension({ … })`, or a function that returns an extension',
    });
  }
  if (typeof exported !== 'function') return exported;
  try {
    const extensionLog = log.child({ extension: module }, { formatters: { log: renameOwnFields } });
    return await within(timeoutMs, async () => exported(options, { log: extensionLog }));
  } catch (error) {
    const message = `is ${name}, whose function failed: ${describeThrown(error)}`;
    return new ExtensionProblem({ path, message, expected: '' });
  }
}

/** Fields that each line has. */
const ownFields: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'extension']);

/** A name that a line has twice is read as the second one, and a line with another level is not found. */
function renameOwnFields(fields: object): object {
  if (!Object.keys(fields).some((name) => ownFields.has(name))) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [ownFields.has(name) ? `${name}_` : name, value]),
  );
}

/** What V8 says of an ES module in a package with `"type": "commonjs"`, which `npm init` writes. Node's advice does not
 *  name the extension of TypeScript. */
const moduleInCommonJs = /outside a module|^Unexpected token 'export'/;
const moduleExpected = 'a file named .mts or .mjs, or `"type": "module"` in the package.json of the file';

/** The message of an error, and where code of the user threw it. */
export function describeThrown(error: unknown): string {
  const location = locationOf(error);
  return location === undefined ? messageOf(error) : `${messageOf(error)} (${location})`;
}

/** A line of a stack with a file, such as `at file:///a.mjs:1:2` or `at run (/a.cjs:1:2)`. `tributary dev` adds a query. */
const stackLine =
  /^(?: +at (?:async )?(?:.*\()?)?(?:file:\/\/)?(\/[^?\n]*?)(?:\?[^:\n]*)?(:\d+(?::\d+)?)\)?$/m;
const [, ownFile] = stackLine.exec(new Error().stack ?? '') ?? [];

/** Where an error was thrown by code of the user. V8 does not report the position of some mistakes in syntax. */
function locationOf(error: unknown): string | undefined {
  // The message of a module that is missing names the file that imports it.
  const stack = error instanceof Error && !isNotFound(error) ? error.stack : undefined;
  const [, file, position] = stackLine.exec(stack ?? '') ?? [];
  return file === ownFile || file === undefined ? undefined : `${file}${position}`;
}

/** Rejects when the time is over. The timer keeps the process running, which could end without a message otherwise. */
async function within<Result>(timeoutMs: number, run: () => Promise<Result>): Promise<Result> {
  const over = Promise.withResolvers<never>();
  const error = new Error(`it did not end within ${timeoutMs / 1_000} s`);
  const timer = setTimeout(() => over.reject(error), timeoutMs);
  try {
    return await Promise.race([run(), over.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Imports a file, or a package: one that is installed next to the gateway, otherwise one of the working directory. */
async function importModule(module: string): Promise<object> {
  if (/^(\.{0,2}\/|[a-zA-Z]:[\\/])/.test(module)) return import(pathToFileURL(resolve(module)).href);
  try {
    return await import(module);
  } catch (error) {
    const file = isNotFound(error) ? findPackage(module) : undefined;
    if (file === undefined) throw error;
    return import(pathToFileURL(file).href);
  }
}

function findPackage(name: string): string | undefined {
  try {
    return createRequire(join(process.cwd(), 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
}

/** The default export, also of a CommonJS module that was compiled from an ES module. */
function defaultExportOf(namespace: object): unknown {
  const exported: unknown = 'default' in namespace ? namespace.default : undefined;
  if (typeof exported !== 'object' || exported === null || !('__esModule' in exported)) return exported;
  return 'default' in exported ? exported.default : undefined;
}

const members: ReadonlySet<string> = new Set(extensionMembers);

function findProblems(value: unknown, path: string): ConfigProblem[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
    return [{ path, message: `gives ${kind}`, expected: 'an extension: an object with a `name` and hooks' }];
  }
  const extension = value as Record<string, unknown>;
  const { name } = extension;
  if (typeof name !== 'string' || name.trim() === '') {
    return [{ path, message: 'gives an extension without a name', expected: 'a `name`' }];
  }
  const label = `gives the extension "${name}", whose`;
  const unknown = unknownNames(extension).map((key): ConfigProblem => {
    return {
      path,
      message: `${label} \`${key}\` is not a hook${suggestName(key, extensionMembers)}`,
      expected: `one of ${extensionMembers.join(', ')}`,
    };
  });
  const invalid = extensionMembers.flatMap((key): ConfigProblem[] => {
    const member = extension[key];
    if (key === 'name' || member === undefined) return [];
    if (key === 'publicRoutes' || key === 'adminRoutes') {
      return isRouteList(member)
        ? []
        : [{ path, message: `${label} \`${key}\` are not routes`, expected: routesExpected }];
    }
    return typeof member === 'function'
      ? []
      : [{ path, message: `${label} \`${key}\` is not a function`, expected: 'a function' }];
  });
  return [...unknown, ...invalid];
}

/** Names that are not those of hooks. An instance of a class may have methods of its own; only those that look like a
 *  misspelled hook count. */
function unknownNames(extension: object): string[] {
  const names = new Set<string>(Object.keys(extension));
  let isPlain = true;
  for (
    let prototype = Object.getPrototypeOf(extension);
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    isPlain = false;
    for (const name of Object.getOwnPropertyNames(prototype)) if (name !== 'constructor') names.add(name);
  }
  return [...names].filter(
    (name) => !members.has(name) && (isPlain || findNearestName(name, extensionMembers) !== undefined),
  );
}

const methods: ReadonlySet<unknown> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
const routesExpected = `a list of { method: ${[...methods].join(' | ')}, path: '/…', handle(request) }`;

function isRouteList(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (route) =>
        methods.has(route?.method) &&
        typeof route.path === 'string' &&
        route.path.startsWith('/') &&
        typeof route.handle === 'function',
    )
  );
}
