/** Rows as Parquet, a row group at a time: nothing but the footer's content stays in memory. */
import { deserialize, serialize } from 'node:v8'
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer'

export type ParquetColumn = {
	readonly name: string
	readonly type: 'INT64' | 'INT32' | 'TIMESTAMP' | 'STRING' | 'JSON'
}
export type ParquetCell = number | string | null

export type ParquetRows = {
	/** The octets of the next row group; `columns[i]` has the cells of column i. */
	group(columns: readonly (readonly ParquetCell[])[]): Uint8Array
	/** The octets that end the file. */
	end(): Uint8Array
	/** What a later process needs to go on: text. */
	state(): string
}

type State = { readonly offset: number; readonly groups: unknown[]; readonly rows: bigint }

/** `resumed`: what `state` said of the same file. */
export function parquetRows(
	columns: readonly ParquetColumn[],
	resumed: string | undefined,
): ParquetRows {
	const out = new ByteWriter(2 ** 20)
	const shape = columns.map(({ name, type }) => ({ name, type, data: [], nullable: true }))
	const schema = schemaFromColumnData({ columnData: shape })
	const writer = new ParquetWriter({ writer: out, schema, createdBy: 'radledger' })
	if (resumed !== undefined) {
		const state = deserialize(Buffer.from(resumed, 'base64')) as State
		out.index = 0
		out.offset = state.offset
		writer.row_groups = state.groups as typeof writer.row_groups
		writer.num_rows = state.rows
	}
	return {
		group(cells) {
			const columnData = columns.map(({ name, type }, index) => ({
				name,
				data: cells[index]!.map(cell => stored(type, cell)),
				offsetIndex: false,
			}))
			writer.write({ columnData, rowGroupSize: Math.max(cells[0]?.length ?? 0, 1) })
			// These would be written at the end, and there are none.
			writer.pendingIndexes = []
			return taken()
		},
		end() {
			writer.finish()
			return taken()
		},
		state() {
			const state: State = { offset: out.offset, groups: writer.row_groups, rows: writer.num_rows }
			return serialize(state).toString('base64')
		},
	}

	function taken(): Uint8Array {
		const bytes = out.getBytes().slice()
		out.index = 0
		return bytes
	}
}

function stored(type: ParquetColumn['type'], cell: ParquetCell): unknown {
	if (cell === null) return undefined
	if (type === 'INT64') return BigInt(cell)
	if (type === 'TIMESTAMP') return new Date(cell)
	// The library writes JSON from values.
	return type === 'JSON' ? JSON.parse(String(cell)) : cell
}
