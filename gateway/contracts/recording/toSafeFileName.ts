import { createHash } from 'node:crypto';

/** Most characters of a name of ours; with what is put around it, it stays below what file systems take. */
const maxLength = 64;

/** A name for a file or directory that every file system takes as it is, made of what anybody may have sent: no path,
 *  no device, not hidden. Where something had to be changed, a hash of the original keeps different names apart. */
export function toSafeFileName(text: string): string {
  const safe = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .slice(0, maxLength)
    .replace(/^\.+/, '_')
    .replace(/\.+$/, '_');
  const name = safe === '' || isWindowsDevice(safe) ? `_${safe}` : safe;
  if (name === text) return name;
  const hash = createHash('sha256').update(text.toWellFormed()).digest('hex').slice(0, 8);
  return `${name.slice(0, maxLength - hash.length - 1)}-${hash}`;
}

// What Windows takes for a device, whatever the ending.
function isWindowsDevice(name: string): boolean {
  return /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\.|$)/i.test(name);
}
