/** Debian's Chromium without a window, for what is tried and measured of the web page. */
import { type Browser, chromium } from 'playwright-core'
import { fileOf } from './install-test-peers.ts'

/** Throws where it is not installed or does not start. */
export function openBrowser(): Promise<Browser> {
	const executablePath = fileOf('chromium')
	if (executablePath === undefined) {
		throw new Error('Chromium is not installed: on Debian, apt-get install chromium.')
	}
	// A container's /dev/shm is often too small for it.
	return chromium.launch({ executablePath, args: ['--disable-dev-shm-usage'] })
}
