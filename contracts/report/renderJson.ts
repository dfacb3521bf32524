import type { CheckReport } from './checkReport.ts';

export function renderJson(report: CheckReport): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
