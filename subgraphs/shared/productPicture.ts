/** Draws a picture in place of a photograph and returns it as a `data:` URL, so that product pictures need no
 *  server. */
export function drawProductPicture(seed: string, label: string, width: number, height: number): string {
  const hue = [...seed].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7);
  const initials = label
    .split(/[^\p{L}\p{N}]+/u)
    .slice(0, 2)
    .map((word) => word.charAt(0).toUpperCase())
    .join('');
  const radius = Math.round(Math.min(width, height) / 3);
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}">` +
    `<rect width="100%" height="100%" fill="hsl(${hue} 45% 90%)"/>` +
    `<circle cx="50%" cy="50%" r="${radius}" fill="hsl(${(hue + 40) % 360} 50% 70%)"/>` +
    `<text x="50%" y="54%" text-anchor="middle" font-family="sans-serif" font-size="${radius}" ` +
    `fill="hsl(${hue} 60% 25%)">${initials}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
