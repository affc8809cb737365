// Durations as people write them, in the configuration and at the command line.

export const durationPattern = /^([1-9]\d{0,5})([smhd])$/;
const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of `30s`, `15m`, `1h`, `365d`; undefined for other text. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = durationPattern.exec(text) ?? [];
  return count && unit ? Number(count) * unitMs[unit as keyof typeof unitMs] : undefined;
}

/** In the largest unit that it is whole in: `3650d`. @param ms rounded to seconds */
export function printDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const units = { d: 86_400, h: 3600, m: 60, s: 1 };
  const [unit, size] = Object.entries(units).find(([, size]) => seconds % size === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}
