import { z } from 'zod';
import { nonBlankText } from '../scalars.ts';

export const extensionsSection = z
  .array(
    z.strictObject({
      module: nonBlankText('a path such as ./extensions/tenant.ts, or the name of a package').describe(
        'Module whose default export is an extension, or a function that creates one. A path that begins with `./` or `../` starts at the directory of the configuration file; a package is one that is installed next to the gateway, or in the working directory.',
      ),
      options: z
        .record(z.string(), z.unknown())
        .meta({ title: 'options' })
        .describe('First argument of the function. `config print` masks the values.')
        .prefault({}),
    }),
  )
  .describe(
    'Modules with code of your own, in the order in which their hooks are called ([extensions.md](extensions.md)).',
  );
