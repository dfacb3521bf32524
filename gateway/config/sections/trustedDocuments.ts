import { z } from 'zod';
import { choice, scalar } from '../scalars.ts';

/** One path or several. The parsed value is a list. */
const paths = scalar<string | readonly string[], readonly string[]>({
  title: 'path or list of paths',
  expected: 'the path of a file, or a list of paths',
  read: (input) => {
    if (input === '') return [];
    // A copy: the configuration is frozen, and a list of an application must not be frozen with it.
    const list: readonly unknown[] = Array.isArray(input) ? [...input] : [input];
    return list.every((path) => typeof path === 'string' && path.trim() !== '')
      ? (list as readonly string[])
      : undefined;
  },
  editorSchemas: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
});

export const trustedDocumentsSection = z
  .strictObject({
    mode: choice(['off', 'prefer', 'require'])
      .describe(
        '`prefer`: clients may send the documents of the manifest by id, and any other operation as before. `require`: only the documents of the manifest are executed, by id or by text; nothing is registered by clients.',
      )
      .prefault('off'),
    manifest: paths
      .describe(
        'File with the documents, or a list of files: a persisted-query manifest of Apollo, or a map of ids to texts as Relay and graphql-codegen write it. A relative path starts at the directory of the configuration file. The gateway reloads a file when it changes.',
      )
      .prefault(''),
  })
  .superRefine(({ mode, manifest }, { issues }) => {
    if (mode === 'off' || manifest.length > 0) return;
    issues.push({
      code: 'custom',
      path: ['manifest'],
      input: manifest,
      message: 'the path of a manifest, or mode: off',
      params: { problem: `is missing, but mode is ${mode}` },
    });
  })
  .describe('Operations that are known before clients send them.');
