import { findProgram } from './debianProgram.ts';

/** The path of Prometheus' `promtool`. A test that needs it never skips itself. @throws {Error} with instructions if
 *  there is none. */
export async function findPromtool(): Promise<string> {
  const { binary } = await findProgram({
    name: 'promtool',
    debianPackage: 'promtool',
    advice:
      'This test needs promtool. Put it on the path (Debian: apt-get install promtool; macOS: brew install prometheus).',
  });
  return binary;
}
