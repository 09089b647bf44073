/** Reading the code of a winner: by the browser's own detector where it has one, or from the text in the file. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { codeIn } from '../shared/claims-api.ts'

type Detector = { detect(source: ImageBitmap | HTMLVideoElement): Promise<{ rawValue: string }[]> }
type DetectorClass = new (options: { formats: string[] }) => Detector

/** Not every browser has one, and there is no other decoder here. */
const makeDetector = (): Detector | undefined => {
  const found = (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector
  return found && new found({ formats: ['qr_code'] })
}

export const canDetect = (): boolean => makeDetector() !== undefined
/** Cameras are given only to pages on https and localhost. */
export const hasCamera = (): boolean => canDetect() && navigator.mediaDevices !== undefined

/** What a file says: the picture that winners save says it in words. Undefined when nothing can be read in it. */
export async function readCodeFile(file: File): Promise<string | undefined> {
  if (file.type === 'image/svg+xml') return codeIn(await file.text())
  const detector = makeDetector()
  if (detector === undefined) return undefined
  try {
    return (await detector.detect(await createImageBitmap(file)))[0]?.rawValue
  } catch {
    return undefined
  }
}

const LOOK_EVERY_MS = 200

/** A camera that looks for a code until it has found one, is stopped, or the component goes. */
export function useCamera(onCode: (code: string) => void) {
  const video = useRef<HTMLVideoElement>(null)
  const [is_on, setOn] = useState(false)
  const [is_refused, setRefused] = useState(false)

  useEffect(() => {
    if (!is_on) return
    let stream: MediaStream | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    let is_over = false
    const detector = makeDetector()!

    async function look() {
      const [found] = await detector.detect(video.current!).catch(() => [])
      if (is_over) return
      if (found === undefined) timer = setTimeout(() => void look(), LOOK_EVERY_MS)
      else {
        setOn(false)
        onCode(found.rawValue)
      }
    }

    async function start() {
      try {
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
        if (is_over) return release()
        video.current!.srcObject = stream
        await video.current!.play()
        await look()
      } catch {
        if (is_over) return
        setRefused(true)
        setOn(false)
      }
    }
    const release = () => {
      for (const track of stream?.getTracks() ?? []) track.stop()
    }
    void start()
    return () => {
      is_over = true
      clearTimeout(timer)
      release()
    }
  }, [is_on])

  return {
    video,
    is_on,
    is_refused,
    start() {
      setRefused(false)
      setOn(true)
    },
    stop: () => setOn(false),
  }
}
