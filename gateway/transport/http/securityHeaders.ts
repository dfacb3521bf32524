/** On every response: a browser takes it for nothing but its media type, and shows it in no frame of a page. */
export const securityHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const;
