/** Colours of slices: the operator's where given, else a palette that colour-blind eyes can tell apart. */

/** Ordered so that neighbours differ in lightness too, not only in hue (after Okabe and Ito, and Tol). */
const PALETTE = [
  '#5b3df5',
  '#ffb000',
  '#00806c',
  '#ff8fb3',
  '#0b5fa5',
  '#e8e36b',
  '#8f2d56',
  '#7cc6fe',
  '#b24a00',
  '#b9e3c6',
]

const isHexColor = (color: string) => /^#[0-9a-f]{6}$/i.test(color)

/** One colour per slice. */
export function sliceColors(colors: readonly string[]): string[] {
  return colors.map((color, i) => {
    if (isHexColor(color)) return color
    // The first and the last slice touch.
    const at = i === colors.length - 1 && i % PALETTE.length === 0 ? i + 3 : i
    return PALETTE[at % PALETTE.length]!
  })
}

/** Near-black or white, whichever reads better on a colour (WCAG relative luminance). */
export function inkOn(color: string): '#14122b' | '#ffffff' {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(color.slice(at, at + 2), 16) / 255
    return channel <= 0.03928 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  const luminance = 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.0557 ? '#ffffff' : '#14122b'
}
