import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readServerFile, removeServerFile, writeServerFile } from '../src/server-file.ts'

const NO_PROCESS = 2 ** 22 + 1

describe('the file of the running server', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'livedraw-server-file-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  const write = (pid: number) =>
    writeServerFile(dir, { pid, url: 'http://127.0.0.1:2567', started_at: '2026-11-30T12:00:00.000Z' })
  const isThere = () => existsSync(join(dir, 'server.json'))

  it('is read while its process lives, and removed by its process', () => {
    assert.equal(readServerFile(dir), null)
    write(process.pid)
    assert.equal(readServerFile(dir)?.url, 'http://127.0.0.1:2567')
    removeServerFile(dir)
    assert.equal(isThere(), false)
  })

  it('two processes on one external database share a directory: who ends first leaves the file of the other', () => {
    write(process.ppid)
    removeServerFile(dir)
    assert.equal(readServerFile(dir)?.pid, process.ppid)
  })

  it('says nothing of a process that is gone', () => {
    write(NO_PROCESS)
    assert.equal(readServerFile(dir), null)
  })
})
